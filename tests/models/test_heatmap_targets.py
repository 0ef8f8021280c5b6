"""Target heatmaps against a slow, plain drawing of the same rule."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.heatmap_targets import bearpaw_targets, exact_targets, hrnet_targets, princeton_targets

SIZE = (20, 14)


def drawn_slowly(point: tuple[float, float], sigma: float, rule: str) -> Tensor:
    """Paste a square patch, pixel after pixel, as the respective paper's code describes it."""
    heatmap = torch.zeros(SIZE)
    if rule == "princeton" and (point[0] <= 0 or not _is_on_map(point)):
        return heatmap
    reach = 3 * sigma + (1 if rule == "princeton" else 0)
    middle = [math.trunc(v + 0.5) if rule == "hrnet" else math.trunc(v) for v in point]
    first, end = [int(m - reach) for m in middle], [int(m + reach + 1) for m in middle]
    if rule == "bearpaw":
        first, end = [math.trunc(v - reach) for v in point], [math.trunc(v + reach + 1) for v in point]
        middle = [int(f + reach) for f in first]
    for y in range(max(first[1], 0), min(end[1], SIZE[0])):
        for x in range(max(first[0], 0), min(end[0], SIZE[1])):
            squared = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
            heatmap[y, x] = math.exp(-squared / (2 * sigma**2))
    return heatmap


def _is_on_map(point: tuple[float, float]) -> bool:
    return 0 <= math.trunc(point[0]) < SIZE[1] and 0 <= math.trunc(point[1]) < SIZE[0]


def draw_hrnet(points: Tensor, sigma: float) -> Tensor:
    return hrnet_targets(points, torch.ones(len(points)), SIZE, stride=1, sigma=sigma)[0]


def draw_bearpaw(points: Tensor, sigma: float) -> Tensor:
    return bearpaw_targets(points, SIZE, sigma)[0]


def draw_princeton(points: Tensor, sigma: float) -> Tensor:
    return princeton_targets(points, SIZE, sigma)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize(
    ("rule", "draw"), [("hrnet", draw_hrnet), ("bearpaw", draw_bearpaw), ("princeton", draw_princeton)]
)
def test_targets_equal_patches_pasted_pixel_by_pixel(
    rule: str, draw: Callable[[Tensor, float], Tensor], sigma: float
) -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.rand(60, 2, generator=random, dtype=torch.float64) * torch.tensor([34, 40]) - 10
    points[:4] = torch.tensor([[0, 0], [13, 19], [-0.3, 5], [5, -0.7]])

    targets = draw(points, sigma)

    expected = torch.stack([drawn_slowly((float(x), float(y)), sigma, rule) for x, y in points])
    torch.testing.assert_close(targets, expected, rtol=0, atol=1e-6)
    assert 0 < (expected.flatten(1).amax(dim=1) == 0).sum() < 50


def test_an_invisible_or_far_keypoint_gets_no_target_and_no_weight() -> None:
    points = torch.tensor([[40.0, 40.0], [40.0, 40.0], [-60.0, 10.0]])

    targets, weights = hrnet_targets(points, torch.tensor([1, 0, 1]), SIZE)

    assert weights.tolist() == [1, 0, 0]
    assert targets.flatten(1).amax(dim=1).tolist() == [1, 0, 0]


def test_bearpaw_says_which_keypoints_are_on_the_map() -> None:
    _, inside = bearpaw_targets(torch.tensor([[3.0, 3.0], [-20.0, 3.0], [17.5, 3.0]]), SIZE)

    assert inside.tolist() == [True, False, False]


def test_targets_keep_the_axes_of_a_batch() -> None:
    points = torch.rand(2, 5, 2) * 40

    targets, weights = hrnet_targets(points, torch.ones(2, 5), SIZE)

    assert targets.shape == (2, 5, *SIZE)
    assert targets.dtype == torch.float32
    assert weights.shape == (2, 5)


def test_exact_targets_lie_between_pixels_and_end_at_the_map_s_edge() -> None:
    points = torch.tensor([[3.25, 7.5], [-0.5, -0.5], [13.49, 19.49], [13.5, 3], [3, -0.51]])

    heatmaps, inside = exact_targets(points, SIZE, sigma=1.5)

    assert inside.tolist() == [True, True, True, False, False]
    assert not heatmaps[~inside].any()
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    torch.testing.assert_close(heatmaps[0], torch.exp(-((x - 3.25) ** 2 + (y - 7.5) ** 2) / (2 * 1.5**2)))
