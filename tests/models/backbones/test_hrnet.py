"""HRNet for pose and for classification."""

import pytest
import torch

import models
from models.backbones.hrnet import HRNetTrunk
from tests.models.backbones.counting import build_on_meta, count_giga_macs, count_parameters


@pytest.mark.parametrize(
    ("width", "keypoints", "size", "parameters", "giga_macs"),
    [
        (32, 17, (256, 192), 28_536_113, 7.645),
        (32, 16, (256, 256), 28_536_080, 10.193),
        (48, 17, (384, 288), 63_595_745, 35.307),
        (48, 16, (256, 256), 63_595_696, 20.922),
    ],
)
def test_pose_networks_cost_what_the_authors_do(
    width: int, keypoints: int, size: tuple[int, int], parameters: int, giga_macs: float
) -> None:
    network = build_on_meta(f"hrnet_w{width}_pose", num_keypoints=keypoints)

    assert (count_parameters(network), len(network.state_dict())) == (parameters, 1754)
    assert round(count_giga_macs(network, (3, *size)), 3) == giga_macs


@pytest.mark.parametrize(
    ("variant", "parameters", "giga_macs", "keys"),
    [
        ("w18_small_v1", 13_187_464, 1.602, 552),
        ("w18_small_v2", 15_597_464, 2.596, 990),
        ("w18", 21_299_004, 4.284, 1956),
        pytest.param("w30", 37_712_220, 8.106, 1956, marks=pytest.mark.slow),
        ("w32", 41_232_680, 8.921, 1956),
        pytest.param("w40", 57_557_160, 12.692, 1956, marks=pytest.mark.slow),
        pytest.param("w44", 67_064_984, 14.883, 1956, marks=pytest.mark.slow),
        pytest.param("w48", 77_469_864, 17.278, 1956, marks=pytest.mark.slow),
        pytest.param("w64", 128_059_944, 28.895, 1956, marks=pytest.mark.slow),
    ],
)
def test_classifiers_cost_what_the_authors_do(variant: str, parameters: int, giga_macs: float, keys: int) -> None:
    network = build_on_meta(f"hrnet_{variant}_cls")

    assert (count_parameters(network), len(network.state_dict())) == (parameters, keys)
    assert round(count_giga_macs(network, (3, 224, 224)), 3) == giga_macs


@pytest.mark.parametrize("size", [(256, 192), (384, 288), (64, 32), (253, 189)])
def test_heatmaps_have_a_quarter_of_the_size(size: tuple[int, int]) -> None:
    network = build_on_meta("hrnet_w32_pose", num_keypoints=5)

    heatmaps = network(torch.empty(2, 3, *size, device="meta"))

    assert heatmaps.shape == (2, 5, -(-size[0] // 4), -(-size[1] // 4))


@pytest.mark.parametrize("size", [(256, 180), (48, 64), (1, 1)])
@pytest.mark.parametrize("name", ["hrnet_w32_pose", "hrnet_w18_cls"])
def test_a_size_whose_branches_do_not_fit_is_refused(name: str, size: tuple[int, int]) -> None:
    network = build_on_meta(name)

    with pytest.raises(ValueError, match="multiples of 32"):
        network(torch.empty(1, 3, *size, device="meta"))


def test_every_branch_halves_the_resolution_and_doubles_the_width() -> None:
    with torch.device("meta"):
        maps = HRNetTrunk(16, exchanges=(1, 1, 1), blocks=1).branches(torch.empty(1, 3, 64, 96))

    assert [tuple(x.shape[1:]) for x in maps] == [(16, 16, 24), (32, 8, 12), (64, 4, 6), (128, 2, 3)]


def test_all_parameters_are_trained() -> None:
    network = models.create("hrnet_w18_small_v1_cls", num_classes=3)

    network(torch.randn(2, 3, 32, 32)).square().sum().backward()

    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
