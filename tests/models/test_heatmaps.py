"""Decoders: by hand on small maps, and by property on drawn Gaussians."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.heatmap_targets import hrnet_targets
from models.heatmaps import (
    decode_bearpaw,
    decode_dark,
    decode_hrnet,
    decode_princeton,
    merge_mirrored,
    peaks,
    positive_peaks,
    unmirror,
)
from models.keypoints import COCO_17

SIZE = (9, 8)


def single_map(*values: tuple[int, int, float], fill: float = 0.0) -> Tensor:
    """One map (1, 1, 9, 8) with values set at (x, y)."""
    heatmap = torch.full((1, 1, *SIZE), fill)
    for x, y, value in values:
        heatmap[0, 0, y, x] = value
    return heatmap


def gaussians(centers: Tensor, sigma: float, size: tuple[int, int] = (64, 48)) -> Tensor:
    """Maps (B, K, *size) with a whole Gaussian around each of the centres (B, K, 2), anywhere between pixels."""
    x, y = torch.arange(size[1]), torch.arange(size[0])[:, None]
    squared = (x - centers[..., 0, None, None]).square() + (y - centers[..., 1, None, None]).square()
    return torch.exp(-squared / (2 * sigma**2))


def test_the_first_of_equal_peaks_wins() -> None:
    points, scores = peaks(single_map((5, 2, 0.5), (1, 3, 0.5)))

    assert points.tolist() == [[[5, 2]]]
    assert scores.tolist() == [[0.5]]


@pytest.mark.parametrize("decode", [peaks, decode_hrnet, decode_bearpaw, decode_princeton, decode_dark])
def test_a_batch_decodes_like_its_maps_one_by_one(decode: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    heatmaps = torch.randn(3, 4, *SIZE, generator=torch.Generator().manual_seed(0))

    points, scores = decode(heatmaps)

    assert points.shape == (3, 4, 2)
    for b in range(3):
        for k in range(4):
            alone = decode(heatmaps[b : b + 1, k : k + 1])
            torch.testing.assert_close((points[b, k], scores[b, k]), (alone[0][0, 0], alone[1][0, 0]))


def test_maps_without_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(B, K, H, W\)"):
        peaks(torch.zeros(1, 9, 8))


def test_a_map_without_a_positive_value_answers_the_corner() -> None:
    nothing = single_map((4, 4, 0.0), fill=-1.0)

    assert positive_peaks(nothing)[0].tolist() == [[[0, 0]]]
    assert decode_hrnet(nothing)[0].tolist() == [[[0, 0]]]
    assert decode_dark(nothing)[0].tolist() == [[[0, 0]]]
    assert decode_bearpaw(nothing)[0].tolist() == [[[0.5, 0.5]]]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(4, 4, (4.25, 3.75)), (2, 2, (2.25, 1.75)), (1, 4, (1, 4)), (4, 1, (4, 1)), (6, 7, (6.25, 6.75)), (7, 4, (7, 4))],
)
def test_hrnet_moves_a_quarter_towards_the_higher_neighbour_away_from_the_border(
    x: int, y: int, expected: tuple[float, float]
) -> None:
    neighbours = [(x + 1, y, 0.5), (x - 1, y, 0.2), (x, y - 1, 0.5), (x, y + 1, 0.2)]
    inside = [n for n in neighbours if n[0] < SIZE[1] and n[1] < SIZE[0]]

    assert decode_hrnet(single_map((x, y, 1.0), *inside))[0].tolist() == [[list(expected)]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("decode", [decode_hrnet, decode_bearpaw, decode_princeton, decode_dark])
def test_half_precision_keeps_quarters_of_a_pixel(
    decode: Callable[[Tensor], tuple[Tensor, Tensor]], dtype: torch.dtype
) -> None:
    heatmaps = gaussians(torch.tensor([[[250.3, 4.0]]]), sigma=2, size=(9, 260)).to(dtype)

    points, _ = decode(heatmaps)

    assert points.dtype == torch.float32
    assert points[0, 0, 0].item() == pytest.approx(decode(heatmaps.double())[0][0, 0, 0].item(), abs=1e-4)


def test_hrnet_stays_between_equal_neighbours() -> None:
    assert decode_hrnet(single_map((4, 4, 1.0), (3, 4, 0.5), (5, 4, 0.5)))[0].tolist() == [[[4, 4]]]


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(4, 4, (5.75, 5.5)), (1, 1, (2.75, 2.5)), (0, 4, (1.5, 5.5)), (7, 4, (8.5, 5.5))]
)
def test_bearpaw_counts_from_one_shifts_within_the_border_and_adds_half_a_pixel(
    x: int, y: int, expected: tuple[float, float]
) -> None:
    higher_right = [(x + 1, y, 0.5)] if x + 1 < SIZE[1] else []

    assert decode_bearpaw(single_map((x, y, 1.0), *higher_right))[0].tolist() == [[list(expected)]]


@pytest.mark.parametrize(("x", "y", "expected"), [(4, 4, (4.75, 4.25)), (0, 0, (0.25, 0.25)), (7, 8, (7.75, 8.75))])
def test_princeton_always_moves_a_quarter_with_neighbours_clamped_and_adds_half_a_pixel(
    x: int, y: int, expected: tuple[float, float]
) -> None:
    higher_right = [(x + 1, y, 0.5)] if x + 1 < SIZE[1] else []

    assert decode_princeton(single_map((x, y, 1.0), *higher_right))[0].tolist() == [[list(expected)]]


def test_princeton_leaves_a_map_without_a_positive_value_in_whole_pixels() -> None:
    points, scores = decode_princeton(single_map((4, 4, -0.5), fill=-1.0))

    assert points.tolist() == [[[points[0, 0, 0].round(), points[0, 0, 1].round()]]]
    assert scores.item() == 0


@settings(deadline=None, max_examples=30)
@given(x=st.integers(0, 47), y=st.integers(0, 63), sigma=st.sampled_from([2.0, 3.0]))
def test_a_drawn_target_decodes_to_where_it_was_drawn(x: int, y: int, sigma: float) -> None:
    point = torch.tensor([[[4.0 * x, 4.0 * y]]])

    target, weights = hrnet_targets(point, torch.ones(1, 1), (64, 48), sigma=sigma)

    assert weights.item() == 1
    assert decode_hrnet(target)[0].tolist() == [[[x, y]]]


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_dark_is_at_least_twice_as_exact_as_the_quarter_shift(sigma: float, noise: float) -> None:
    random = torch.Generator().manual_seed(0)
    centers = torch.rand(4, 64, 2, generator=random) * torch.tensor([27.0, 43.0]) + 10
    heatmaps = gaussians(centers, sigma)
    heatmaps += noise * torch.randn(heatmaps.shape, generator=random)

    def mean_error(points: Tensor) -> float:
        return float((points - centers).norm(dim=2).mean())

    dark, quarter = mean_error(decode_dark(heatmaps, sigma)[0]), mean_error(decode_hrnet(heatmaps)[0])

    assert dark < quarter / 2
    if not noise:
        assert dark < 0.001


def test_dark_keeps_the_height_of_the_peak_as_score() -> None:
    heatmaps = 0.7 * gaussians(torch.tensor([[[20.0, 30.0]]]), sigma=2)

    assert decode_dark(heatmaps)[1].item() == pytest.approx(0.7)


def test_dark_never_leaves_the_neighbourhood_of_the_highest_pixel() -> None:
    heatmaps = torch.randn(8, 17, 32, 24, generator=torch.Generator().manual_seed(1)).abs()

    step = decode_dark(heatmaps)[0] - peaks(heatmaps)[0]

    assert step.isfinite().all()
    assert step.abs().max() <= 1


def test_dark_stays_on_a_flat_map_and_at_the_border() -> None:
    heatmaps = torch.cat((torch.ones(1, 1, *SIZE), single_map((0, 4, 1.0))), dim=1)

    assert decode_dark(heatmaps)[0].tolist() == [[[0, 0], [0, 4]]]


def test_the_heatmaps_of_a_mirrored_image_turn_back_into_its_own() -> None:
    heatmaps = torch.randn(2, 17, 8, 6, generator=torch.Generator().manual_seed(0))
    mirrored = heatmaps[:, list(COCO_17.flip_permutation)].flip(3)

    assert torch.equal(unmirror(mirrored, COCO_17.flip_permutation), heatmaps)
    assert torch.equal(merge_mirrored(heatmaps, mirrored, COCO_17.flip_permutation, shift=False), heatmaps)


def test_the_shift_moves_right_by_a_pixel_and_keeps_the_first_column() -> None:
    heatmaps = torch.arange(4.0).view(1, 1, 1, 4)

    assert unmirror(heatmaps, [0], shift=True).flatten().tolist() == [3, 3, 2, 1]
    assert merge_mirrored(heatmaps, heatmaps, [0]).flatten().tolist() == [1.5, 2, 2, 2]
