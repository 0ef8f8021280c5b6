"""Views of crops: keypoints stay on what they were drawn on."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.keypoints import LSP_14
from training.pose_augment import PoseAugmentation

SIDE, SIZE = 80, 64
COLOURS = {"colour": 0.0, "cover_probability": 0.0}


def dots(places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Crops (B, SIDE, SIDE, 3), each with one soft dot."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    squared = (x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2
    return np.repeat(np.round(255 * np.exp(-squared / 18))[..., None], 3, axis=3).astype(np.uint8)


def centre(view: torch.Tensor) -> tuple[float, float]:
    """The centre of a view's light, x and y."""
    light = view.mean(dim=0)
    along = torch.arange(SIZE, dtype=torch.float32)
    return float((light.sum(dim=0) * along).sum() / light.sum()), float((light.sum(dim=1) * along).sum() / light.sum())


def test_keypoints_move_with_the_picture() -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(30, 50, (12, 2))
    points = np.repeat(places[:, None], 14, axis=1)

    views, moved, mirrored = PoseAugmentation(SIZE, LSP_14.flip_permutation, **COLOURS)(dots(places), points, rng)

    assert views.shape == (12, 3, SIZE, SIZE)
    assert 0 < mirrored.sum() < 12
    for view, point in zip(views, moved[:, 0], strict=True):
        assert centre(view) == pytest.approx(point.tolist(), abs=0.2)


def test_a_mirrored_view_exchanges_left_and_right() -> None:
    points = np.tile(np.linspace(20, 60, 14)[:, None], (1, 1, 2))
    still = PoseAugmentation(SIDE, LSP_14.flip_permutation, 0, 1, 0, flip_probability=1, **COLOURS)

    _, moved, mirrored = still(np.zeros((1, SIDE, SIDE, 3), np.uint8), points, np.random.default_rng(0))

    swapped = points[:, list(LSP_14.flip_permutation)]
    assert mirrored.tolist() == [True]
    assert moved[0, :, 0].tolist() == pytest.approx((SIDE - 1 - swapped[0, :, 0]).tolist(), abs=1e-4)
    assert moved[0, :, 1].tolist() == pytest.approx(swapped[0, :, 1].tolist(), abs=1e-4)


def test_without_chance_a_view_is_the_crop_itself() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    still = PoseAugmentation(SIZE, LSP_14.flip_permutation, 0, 1, 0, 0, **COLOURS)

    views, moved, _ = still(crops, np.full((2, 14, 2), 7.25), np.random.default_rng(0))

    torch.testing.assert_close(views, torch.from_numpy(crops).permute(0, 3, 1, 2) / 255, atol=1e-4, rtol=0)
    torch.testing.assert_close(moved, torch.full((2, 14, 2), 7.25))


def test_colours_stay_in_range_and_the_seed_decides_everything() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
    augment = PoseAugmentation(SIZE, LSP_14.flip_permutation, colour=0.5, cover_probability=1)

    first, again, other = (augment(crops, np.zeros((8, 14, 2)), np.random.default_rng(seed))[0] for seed in (1, 1, 2))

    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_covered_view_has_a_rectangle_of_one_colour() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    plain, covered = (
        PoseAugmentation(SIZE, LSP_14.flip_permutation, 0, 1, 0, 0, 0, cover_probability=probability)
        for probability in (0.0, 1.0)
    )
    before, after = (
        augment(crops, np.zeros((1, 14, 2)), np.random.default_rng(5))[0][0] for augment in (plain, covered)
    )

    changed = (before - after).abs().amax(dim=0) > 1e-3
    rows, columns = changed.any(dim=1).nonzero().ravel(), changed.any(dim=0).nonzero().ravel()
    patch = after[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert patch.numel() > 3 * 36
    assert float(patch.flatten(1).std(dim=1).max()) < 1e-6
