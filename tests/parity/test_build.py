"""From the authors' words to our network."""

from typing import Any

import pytest
import torch
from torch import nn

from models.backbones.glcnn import GLCNN
from models.backbones.hourglass import BearpawHourglass, PrincetonHourglass
from models.backbones.hrnet import HRNetClassifier, HRNetPose
from models.backbones.rga import RGANet
from models.backbones.rrid import RRIDNet
from tests.parity.build import Shapes, build

POSE = {"final_layer.weight": (21, 32, 1, 1)}
CLASSES = {"final_layer.0.weight": (2048, 1024, 1, 1), "classifier.weight": (7, 2048)}
HEADS = {"linear_age.weight": (89, 1024), "linear_gender.weight": (3, 1024)}


def build_on_meta(arguments: dict[str, Any], shapes: Shapes, size: tuple[int, int] = (64, 64)) -> nn.Module:
    with torch.device("meta"):
        return build(arguments, shapes, size)


@pytest.mark.parametrize(
    ("config", "widths"),
    [("mpii/hrnet/w32_256x256_adam_lr1e-3.yaml", (32, 64, 128, 256)), ("w48", (48, 96, 192, 384))],
)
def test_pose_configurations_name_the_width(config: str, widths: tuple[int, ...]) -> None:
    network = build_on_meta({"config": config}, POSE)

    assert isinstance(network, HRNetPose)
    assert (network.widths, network.num_keypoints) == (widths, 21)


@pytest.mark.parametrize(
    ("config", "width", "stem_blocks"),
    [
        ("w18", 18, 4),
        ("w64", 64, 4),
        ("w18_small_v1", 16, 1),
        ("w18_small_v2", 18, 2),
        ("cls_hrnet_w18_small_v1_sgd_lr5e-2_wd1e-4_bs32_x100.yaml", 16, 1),
        ("cls_hrnet_w40_sgd_lr5e-2_wd1e-4_bs32_x100.yaml", 40, 4),
    ],
)
def test_classifier_configurations_name_width_and_size(config: str, width: int, stem_blocks: int) -> None:
    network = build_on_meta({"config": config}, CLASSES)

    assert isinstance(network, HRNetClassifier)
    assert (network.widths[0], len(network.layer1), network.num_classes) == (width, stem_blocks, 7)


def test_each_hourglass_has_its_own_words() -> None:
    princeton = build_on_meta({"nstack": 3, "inp_dim": 64, "oup_dim": 5}, {})
    bearpaw = build_on_meta({"num_stacks": 4, "num_blocks": 2, "num_classes": 6}, {})

    assert isinstance(princeton, PrincetonHourglass)
    assert isinstance(bearpaw, BearpawHourglass)
    assert (princeton.num_stacks, princeton.num_keypoints) == (3, 5)
    assert (bearpaw.num_stacks, bearpaw.num_keypoints) == (4, 6)
    assert princeton.get_parameter("outs.2.conv.weight").shape == (5, 64, 1, 1)
    assert "res.3.1.conv1.weight" in bearpaw.state_dict()


def test_heads_of_the_age_network_follow_the_listed_weights() -> None:
    network = build_on_meta({"flat": 22528}, HEADS, (128, 88))

    assert isinstance(network, GLCNN)
    assert (network.linear_layer1.in_features, network.linear_age.out_features) == (22528, 89)
    assert network.linear_gender.out_features == 3


@pytest.mark.parametrize(("branch", "spatial", "channel"), [("rgasc", 1, 1), ("rgas", 1, 0), ("rgac", 0, 1)])
def test_attention_branches_are_told_apart(branch: str, spatial: int, channel: int) -> None:
    arguments = {"branch": branch, "height": 128, "width": 64, "num_classes": 4}

    network = build_on_meta(arguments, {})

    assert isinstance(network, RGANet)
    names = set(network.state_dict())
    assert ("backbone.rga_att1.gx_spatial.0.weight" in names) == spatial
    assert ("backbone.rga_att1.gx_channel.0.weight" in names) == channel


def test_a_relation_network_may_have_no_classifiers() -> None:
    network = build_on_meta({"num_classes": 0, "num_stripes": 6}, {})

    assert isinstance(network, RRIDNet)
    assert network.num_classes == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"config": "resnet"},
        {"num_classes": 5, "num_stripes": 8},
        {},
    ],
)
def test_what_we_have_not_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no width|6 stripes|no network"):
        build_on_meta(arguments, {})
