"""Stacked hourglasses in both layouts."""

import pytest
import torch

import models
from tests.models.backbones.counting import build_on_meta, count_giga_macs, count_parameters

LAYOUTS = ("hourglass_princeton", "hourglass_bearpaw")


@pytest.mark.parametrize(
    ("layout", "stacks", "parameters", "giga_macs", "keys"),
    [
        ("hourglass_princeton", 2, 8_429_088, 8.335, 742),
        ("hourglass_princeton", 8, 32_819_328, 27.440, 2752),
        ("hourglass_bearpaw", 1, 3_586_960, 5.805, 377),
        ("hourglass_bearpaw", 2, 6_730_912, 8.989, 684),
        ("hourglass_bearpaw", 8, 25_594_624, 28.095, 2526),
    ],
)
def test_parameters_and_cost_are_those_of_the_published_code(
    layout: str, stacks: int, parameters: int, giga_macs: float, keys: int
) -> None:
    network = build_on_meta(layout, num_stacks=stacks)

    assert (count_parameters(network), len(network.state_dict())) == (parameters, keys)
    assert count_giga_macs(network, (3, 256, 256)) == pytest.approx(giga_macs, abs=6e-4)


@pytest.mark.parametrize("stacks", [1, 2, 8])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_stack_gives_heatmaps_of_a_quarter_of_the_size(layout: str, stacks: int) -> None:
    network = build_on_meta(layout, num_stacks=stacks, num_keypoints=5)

    heatmaps = network(torch.empty(2, 3, 128, 192, device="meta"))

    assert heatmaps.shape == (2, stacks, 5, 32, 48)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_early_stacks_do_not_depend_on_how_many_follow(layout: str) -> None:
    torch.manual_seed(0)
    longer = models.create(layout, num_stacks=2, num_keypoints=3, channels=16).eval()
    shorter = models.create(layout, num_stacks=1, num_keypoints=3, channels=16).eval()
    shorter.load_state_dict({name: longer.state_dict()[name] for name in shorter.state_dict()})
    images = torch.rand(1, 3, 64, 64)

    with torch.inference_mode():
        assert torch.equal(shorter(images)[:, 0], longer(images)[:, 0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_predictions_of_a_stack_reach_the_next(layout: str) -> None:
    torch.manual_seed(0)
    network = models.create(layout, num_stacks=2, num_keypoints=3, channels=16).eval()
    images = torch.rand(1, 3, 64, 64)
    first_score = network.get_parameter("outs.0.conv.bias" if "princeton" in layout else "score.0.bias")

    with torch.inference_mode():
        before = network(images)
        first_score.add_(1)
        moved = (network(images) - before).abs().amax(dim=(0, 2, 3, 4))

    assert moved[0] == pytest.approx(1, abs=1e-5)
    assert moved[1] > 1e-3


@pytest.mark.parametrize("size", [(96, 128), (256, 100), (32, 32)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_map_that_does_not_halve_four_times_is_refused(layout: str, size: tuple[int, int]) -> None:
    network = build_on_meta(layout, num_stacks=1)

    with pytest.raises(ValueError, match="multiples of 64"):
        network(torch.empty(1, 3, *size, device="meta"))


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_more_blocks_lengthen_every_place_of_an_hourglass(blocks: int) -> None:
    network = build_on_meta("hourglass_bearpaw", num_stacks=1, num_blocks=blocks)

    # 4 levels of 3 places, the bottom and what follows the hourglass; three residuals of the stem stay single.
    assert sum(name.endswith("conv2.weight") for name in network.state_dict()) == 14 * blocks + 3


def test_a_compact_network_is_sixteen_times_cheaper_at_half_the_size_and_width() -> None:
    full = build_on_meta("hourglass_bearpaw", num_stacks=2)
    compact = build_on_meta("hourglass_bearpaw", num_stacks=2, channels=128)

    ratio = count_giga_macs(full, (3, 256, 256)) / count_giga_macs(compact, (3, 128, 128))

    assert ratio == pytest.approx(16, rel=0.05)
