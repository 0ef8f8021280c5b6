"""Our network for an oracle variant, and its outputs under the variant's names.

A variant says how the authors' code was called (`build` in its `meta.json`), in the authors' own words. The words tell
the networks apart; the numbers of outputs that they leave open are read off the shapes of the listed weights.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import models
from models.backbones.glcnn import GLCNN
from models.backbones.hrnet import HRNetClassifier
from models.backbones.rga import RGAModule, RGANet
from models.backbones.rrid import RRIDNet

Arguments: TypeAlias = Mapping[str, Any]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Size: TypeAlias = tuple[int, int]


def build(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    """Build the network that the authors' code built, with fresh weights.

    Args:
        arguments: `build` of the variant's `meta.json`.
        shapes: of the official `state_dict`, by name.
        size: (height, width) of the variant's inputs.

    Raises:
        ValueError: the arguments are of no network we have, or ask for what ours cannot do.
    """
    for word, builder in _BUILDERS.items():
        if word in arguments:
            return builder(arguments, shapes, size)
    raise ValueError(f"no network is built from {dict(arguments)}")


@torch.inference_mode()
def outputs(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Everything that an oracle may hold of this network, by the oracle's names."""
    match network:
        case RGANet():
            before, after = network.features(images)
            classified = {} if network.cls is None else {"cls": network.cls(after)}
            return {"feat_": before, "feat": after, **classified}
        case RGAModule():
            return {"out": network(images)}
        case RRIDNet():
            return _rrid_outputs(network, images)
        case GLCNN():
            return dict(zip(("feat", "age", "gender"), network(images), strict=True))
        case HRNetClassifier():
            return {"logits": network(images)}
        case _:
            return {"heatmaps": network(images)}


def _rrid_outputs(network: RRIDNet, images: Tensor) -> dict[str, Tensor]:
    embedding = network(images)
    both_sides = F.normalize((embedding + network(images.flip(dims=(3,)))) / 2)
    embeddings = {"embed": embedding, "embed_flip_norm": both_sides}
    if not network.num_classes:
        return embeddings
    _, *logits = network.logits(images)
    return embeddings | dict(
        zip(("logits_local_rest", "logits_local", "logits_rest", "logits_global"), logits, strict=True)
    )


def _rga_module(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    return RGAModule(
        arguments["in_channel"],
        arguments["in_spatial"],
        spatial=arguments["use_spatial"],
        channel=arguments["use_channel"],
        channel_ratio=arguments.get("cha_ratio", 8),
        spatial_ratio=arguments.get("spa_ratio", 8),
        head_ratio=arguments.get("down_ratio", 8),
    )


def _rga(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    attention = arguments["branch"].removeprefix("rga").strip("_")
    return models.create(
        f"rga_{attention}_resnet50",
        num_classes=arguments["num_classes"],
        input_size=(arguments["height"], arguments["width"]),
    )


def _rrid(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    if arguments["num_stripes"] != 6:
        raise ValueError(f"the network has 6 stripes, not {arguments['num_stripes']}")
    return models.create("rrid_resnet50", num_classes=arguments["num_classes"])


def _princeton(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    return models.create(
        "hourglass_princeton",
        num_stacks=arguments["nstack"],
        num_keypoints=arguments["oup_dim"],
        channels=arguments["inp_dim"],
    )


def _bearpaw(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    return models.create(
        "hourglass_bearpaw",
        num_stacks=arguments["num_stacks"],
        num_blocks=arguments["num_blocks"],
        num_keypoints=arguments["num_classes"],
    )


def _glcnn(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    return models.create(
        "glcnn",
        input_size=size,
        num_ages=shapes["linear_age.weight"][0],
        num_genders=shapes["linear_gender.weight"][0],
    )


def _hrnet(arguments: Arguments, shapes: Shapes, size: Size) -> nn.Module:
    """From the name of a configuration, such as `w18`, `w18_small_v1` or `coco/hrnet/w32_256x192_adam_lr1e-3.yaml`."""
    config = arguments["config"]
    width, small = re.search(r"w(\d+)", config), re.search(r"small\D*(\d)", config)
    if width is None:
        raise ValueError(f"configuration {config!r} names no width")
    if "classifier.weight" not in shapes:
        return models.create(f"hrnet_w{width[1]}_pose", num_keypoints=shapes["final_layer.weight"][0])
    name = f"hrnet_w{width[1]}_small_v{small[1]}_cls" if small else f"hrnet_w{width[1]}_cls"
    return models.create(name, num_classes=shapes["classifier.weight"][0])


# The first word that is among a variant's arguments names its builder.
_BUILDERS: dict[str, Callable[[Arguments, Shapes, Size], nn.Module]] = {
    "in_channel": _rga_module,
    "branch": _rga,
    "num_stripes": _rrid,
    "nstack": _princeton,
    "num_stacks": _bearpaw,
    "flat": _glcnn,
    "config": _hrnet,
}
