import numpy as np
import pytest

from models.crops import Region, cut_square, transform, warp
from models.pose_systems import HOURGLASS, HRNET, SYSTEMS, PoseSystem

REGION = Region(np.array([37.0, 41.0]), np.array(64.0))


@pytest.mark.parametrize("system", [HRNET, HOURGLASS], ids=["hrnet", "hourglass"])
def test_the_way_back_undoes_the_way_there(system: PoseSystem) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (5, 2))

    there = transform(points, system.matrix(REGION, (32, 32)))

    assert transform(there, system.back(REGION, (32, 32))) == pytest.approx(points)


def test_an_hourglass_sees_the_same_crop_as_its_authors_cut() -> None:
    image = np.random.default_rng(0).integers(0, 255, (90, 80, 3), np.uint8)
    # As large as the crop, so that nothing is resized: the two must agree in every pixel.
    region = Region(REGION.center, np.array(32.0))

    ours = warp(image, HOURGLASS.matrix(region, (32, 32)), (32, 32))

    assert np.array_equal(ours, cut_square(image, region, (32, 32)))


def test_heatmap_pixels_of_an_hourglass_stand_for_four_by_four_crop_pixels() -> None:
    crop_points = transform(np.array([[10.0, 20.0]]), HOURGLASS.matrix(REGION, (128, 128)))
    map_points = transform(np.array([[10.0, 20.0]]), HOURGLASS.matrix(REGION, (32, 32)))

    assert map_points == pytest.approx((crop_points + 0.5) / 4 - 0.5)


def test_heatmap_pixels_of_hrnet_stand_for_every_fourth_crop_pixel() -> None:
    crop_points = transform(np.array([[10.0, 20.0]]), HRNET.matrix(REGION, (128, 128)))

    assert transform(np.array([[10.0, 20.0]]), HRNET.matrix(REGION, (32, 32))) == pytest.approx(crop_points / 4)


def test_every_pose_network_has_a_system() -> None:
    assert set(SYSTEMS) == {"hrnet_w32_pose", "hrnet_w48_pose", "hourglass_bearpaw", "hourglass_princeton"}
