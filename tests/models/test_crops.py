"""Regions, the way into a crop and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.crops import (
    Fit,
    Region,
    box_region,
    crop_matrix,
    cut_square,
    fit_image,
    fit_within,
    invert,
    mpii_region,
    transform,
    transform_cut,
    unfit_points,
    warp,
)

SIZE = (256, 192)
lengths = st.floats(1, 2000)


@settings(deadline=None, max_examples=30)
@given(x=st.floats(-500, 500), y=st.floats(-500, 500), width=lengths, height=lengths)
def test_a_region_contains_its_box_around_the_same_centre(x: float, y: float, width: float, height: float) -> None:
    region = box_region(np.array([x, y, x + width, y + height]), SIZE)

    region_height = region.width * SIZE[0] / SIZE[1]
    assert region.center == pytest.approx((x + width / 2, y + height / 2))
    assert max(width / region.width, height / region_height) == pytest.approx(1 / 1.25)


def test_many_boxes_give_the_regions_of_each() -> None:
    boxes = np.array([[0.0, 0, 30, 90], [10, 20, 200, 60]])

    regions = box_region(boxes, SIZE)

    assert regions.center.tolist() == [[15, 45], [105, 40]]
    assert regions.width.tolist() == [67.5 * 1.25, 190 * 1.25]


def test_mpii_persons_are_lowered_and_enlarged() -> None:
    annotated = mpii_region(np.array([100.0, 80.0]), np.array(2.0), first_pixel=1)
    counted_from_zero = mpii_region(np.array([100.0, 80.0]), np.array(2.0))

    assert (annotated.center.tolist(), float(annotated.width)) == ([100, 110], 500)
    assert counted_from_zero.center.tolist() == [99, 109]


@settings(deadline=None, max_examples=30)
@given(x=st.floats(-500, 500), y=st.floats(-500, 500), width=lengths, degrees=st.floats(-180, 180))
def test_the_centre_goes_to_the_middle_and_points_come_back(x: float, y: float, width: float, degrees: float) -> None:
    matrix = crop_matrix(Region(np.array([x, y]), np.array(width), degrees), SIZE)
    points = np.array([[x, y], [x + 3, y - 5]])

    moved = transform(points, matrix)

    assert moved[0] == pytest.approx((96, 128), abs=1e-6)
    assert np.linalg.norm(moved[1] - moved[0]) == pytest.approx(34**0.5 * 192 / width)
    assert transform(moved, invert(matrix)) == pytest.approx(points, abs=1e-6)


def test_a_turned_region_stands_upright_in_its_crop() -> None:
    matrix = crop_matrix(Region(np.array([50.0, 50.0]), np.array(192.0), 90.0), SIZE)

    assert transform(np.array([[60.0, 50.0]]), matrix)[0] == pytest.approx((96, 118))  # what was right is up


def test_matrices_of_many_regions_map_the_points_of_each() -> None:
    regions = Region(np.array([[10.0, 20.0], [30.0, 5.0]]), np.array([40.0, 96.0]))
    points = np.arange(12.0).reshape(2, 3, 2)

    moved = transform(points, crop_matrix(regions, SIZE))

    for i in range(2):
        alone = crop_matrix(Region(regions.center[i], regions.width[i]), SIZE)
        assert moved[i] == pytest.approx(transform(points[i], alone))


def test_a_region_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        crop_matrix(Region(np.zeros(2), np.array(0.0)), SIZE)


def test_points_are_cut_towards_zero_from_either_first_pixel() -> None:
    halve = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    points = np.array([[5.0, -5.0]])

    assert transform_cut(points, halve).tolist() == [[2, -2]]
    assert transform_cut(points, halve, first_pixel=1).tolist() == [[3, -2]]


def test_a_crop_of_the_whole_image_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    image.flags.writeable = False

    crop = warp(image, crop_matrix(Region(np.array([15.0, 20.0]), np.array(30.0)), (40, 30)), (40, 30))

    assert (crop == image).all()


def test_a_warp_equals_bilinear_interpolation_by_hand() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    matrix = crop_matrix(Region(np.array([22.0, 9.0]), np.array(17.0), 33.0), (16, 12))

    crop = warp(image, matrix, (16, 12))

    padded = np.zeros((200, 200, 3))
    padded[80:100, 80:110] = image
    for (y, x), (source_x, source_y) in zip(
        np.ndindex(16, 12),
        transform(np.array([(x, y) for y in range(16) for x in range(12)]), invert(matrix)),
        strict=True,
    ):
        left, top = int(np.floor(source_x)), int(np.floor(source_y))
        a, b = source_x - left, source_y - top
        four = padded[top + 80 : top + 82, left + 80 : left + 82]
        expected = np.einsum("i,j,ijc", [1 - b, b], [1 - a, a], four)
        assert np.abs(crop[y, x] - expected).max() < 0.51


def test_a_crop_beside_the_image_is_black() -> None:
    image = np.full((20, 30, 3), 200, np.uint8)
    far_away = crop_matrix(Region(np.array([500.0, 9.0]), np.array(17.0)), (16, 12))

    assert not warp(image, far_away, (16, 12)).any()
    assert not cut_square(image, Region(np.array([500.0, 9.0]), np.array(17.0)), (16, 16)).any()


def test_a_square_cut_at_its_own_size_is_the_image_with_black_outside() -> None:
    image = np.random.default_rng(0).integers(1, 256, (40, 30, 3), dtype=np.uint8)

    crop = cut_square(image, Region(np.array([16.0, 16.0]), np.array(32.0)), (32, 32))

    assert (crop[:, :30] == image[:32]).all()
    assert not crop[:, 30:].any()


def test_a_region_narrower_than_a_pixel_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="nothing to cut"):
        cut_square(np.zeros((40, 30, 3), np.uint8), Region(np.array([16.2, 16.2]), np.array(0.1)), (32, 32))


@pytest.mark.parametrize(
    ("image_size", "expected"),
    [((100, 100), Fit(0, 0, 64, 64)), ((100, 50), Fit(0, 16, 64, 32)), ((99, 200), Fit(16, 0, 32, 64))],
)
def test_a_whole_image_fits_in_the_middle(image_size: tuple[int, int], expected: Fit) -> None:
    assert fit_within(image_size, (64, 64)) == expected


def test_points_of_a_fitted_image_come_back() -> None:
    image = np.full((100, 50, 3), 90, np.uint8)

    crop = fit_image(image, (64, 64))

    assert (crop[:, 16:48] == 90).all()
    assert not crop[:, :16].any()
    assert not crop[:, 48:].any()
    assert unfit_points(np.array([[16.0, 0.0], [48.0, 64.0]]), (100, 50), (64, 64)).tolist() == [[0, 0], [50, 100]]
