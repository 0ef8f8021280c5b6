import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.gait.gei import SIZES, NoSilhouetteError, align, gait_energy_image
from models.gait.silhouettes import BORDER, BROKEN, EMPTY, SMALL
from tests.models.gait.walkers import walker

WALK = walker()
FEW = settings(max_examples=12)


def difference(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.abs(np.subtract(a, b, dtype=np.float64)).mean())


@pytest.mark.parametrize("size", SIZES)
def test_an_image_has_the_size_asked_for_and_lies_between_0_and_1(size: tuple[int, int]) -> None:
    gei = gait_energy_image(WALK, size)

    assert gei.image.shape == size
    assert gei.image.dtype == np.float32
    assert 0 <= gei.image.min() < gei.image.max() <= 1 + 1e-6
    assert (gei.frames, gei.frames_used, gei.dropped) == (48, 48, ())
    assert gei.gait_cycles == pytest.approx(2, abs=0.1)
    assert gei.period_frames == pytest.approx(24, abs=1)


def test_the_body_fills_the_height_with_its_trunk_in_the_middle() -> None:
    image = gait_energy_image(WALK).image

    assert image[1].max() > 0.5
    assert image[-1].max() > 0.05
    trunk = image[40:60].sum(axis=0)
    assert float(trunk @ np.arange(88) / trunk.sum()) == pytest.approx(43.5, abs=1)


@FEW
@given(dx=st.integers(-40, 40), dy=st.integers(-40, 8))
def test_shifted_silhouettes_give_the_same_image(dx: int, dy: int) -> None:
    shifted = np.roll(WALK, (dy, dx), axis=(1, 2))

    assert difference(gait_energy_image(shifted).image, gait_energy_image(WALK).image) < 1e-6


@FEW
@given(scale=st.integers(2, 4))
def test_silhouettes_scaled_by_whole_numbers_give_nearly_the_same_image(scale: int) -> None:
    scaled = WALK.repeat(scale, axis=1).repeat(scale, axis=2)

    assert difference(gait_energy_image(scaled).image, gait_energy_image(WALK).image) < 0.01


@pytest.mark.parametrize("height", [64, 80, 120, 200])
def test_near_and_far_walkers_give_nearly_the_same_image(height: int) -> None:
    other = walker(height=height, size=(320, 480), start=(160, 300))

    assert difference(gait_energy_image(other).image, gait_energy_image(WALK).image) < 0.03


@FEW
@given(phase=st.floats(0, 1), period=st.sampled_from([20, 24, 30]))
def test_it_does_not_matter_where_in_the_cycle_whole_cycles_begin(phase: float, period: int) -> None:
    walks = [walker(frames=2 * period, period=period, speed=0, phase=start) for start in (0.0, phase)]

    a, b = (gait_energy_image(walk).image for walk in walks)

    assert difference(a, b) < 0.03


@FEW
@given(turn=st.integers(0, 47))
def test_frames_of_whole_cycles_may_be_turned_round_and_reversed(turn: int) -> None:
    still = walker(speed=0)

    turned = np.roll(still, turn, axis=0)[::-1]

    assert difference(gait_energy_image(turned).image, gait_energy_image(still).image) < 0.005


@FEW
@given(index=st.integers(0, 47), fault=st.sampled_from(["empty", "half", "speck", "block", "upside down"]))
def test_one_broken_frame_barely_moves_the_image(index: int, fault: str) -> None:
    broken = WALK.copy()
    rows, columns = np.nonzero(broken[index])
    if fault == "empty":
        broken[index] = False
    elif fault == "half":
        broken[index, : (rows.min() + rows.max()) // 2] = False
    elif fault == "speck":
        broken[index] = False
        broken[index, 5:8, 5:8] = True
    elif fault == "block":
        broken[index, rows.min() : rows.max(), columns.min() - 30 : columns.max()] = True
    else:
        broken[index] = broken[index, ::-1]

    assert difference(gait_energy_image(broken).image, gait_energy_image(WALK).image) < 0.01


def test_noise_and_holes_do_not_change_the_image_much() -> None:
    rng = np.random.default_rng(3)
    noisy = WALK & (rng.random(WALK.shape) > 0.03)
    noisy |= rng.random(WALK.shape) > 0.999
    noisy[:, 20:26, 280:310] = True  # a blob far from everybody

    assert difference(gait_energy_image(noisy).image, gait_energy_image(WALK).image) < 0.03


def test_frames_are_dropped_with_reasons() -> None:
    walk = walker(frames=60, start=(10, 150), speed=4)
    walk[30] = False
    walk[31] = False
    walk[31, 3:9, 3:7] = True
    walk[32, :100] = False

    dropped = {frame.index: frame.reason for frame in align(walk).dropped}

    assert dropped[0] == BORDER
    assert (dropped[30], dropped[31], dropped[32]) == (EMPTY, SMALL, BROKEN)


def test_pictures_cropped_to_the_body_are_not_taken_for_cut_off_bodies() -> None:
    still = walker(speed=0, start=(80, 150))
    rows, columns = (np.flatnonzero(still.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    cropped = still[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    gei = gait_energy_image(cropped)

    assert gei.dropped == ()
    assert difference(gei.image, gait_energy_image(still).image) < 0.005


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_walks_without_a_silhouette_are_refused(frames: int) -> None:
    with pytest.raises(NoSilhouetteError, match="no frame can be used"):
        gait_energy_image(np.zeros((frames, 40, 40), bool))


def test_frames_late_in_a_long_walk_and_the_last_one_are_aligned_as_early_ones() -> None:
    still = walker(speed=0)

    aligned = align(np.tile(still, (12, 1, 1))).silhouettes

    assert len(aligned) == 576
    assert np.array_equal(aligned[:48], aligned[528:])


def test_one_frame_gives_an_image_but_no_cycles() -> None:
    gei = gait_energy_image(WALK[:1])

    assert (gei.gait_cycles, gei.period_frames, gei.frames_used) == (0, None, 1)
    assert set(np.unique(gei.image)) == {0, 1}


def test_other_sizes_and_types_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(128, 88\) or \(64, 44\)"):
        gait_energy_image(WALK, (32, 22))
    with pytest.raises(ValueError, match="bool"):
        gait_energy_image(WALK.astype(np.uint8))


@pytest.mark.shared
@pytest.mark.slow
def test_images_of_real_walks_tell_people_apart_as_well_as_the_reference_images(shared: Path) -> None:
    folder = shared / "data" / "casia-a-silhouettes"
    with zipfile.ZipFile(folder / "casia_a_14subjects.zip") as archive, (folder / "sequences.csv").open() as file:
        rows = list(csv.DictReader(file))
        images = [gait_energy_image(_frames(archive, row)).image for row in rows]

    for view, reference in (("0", 0.929), ("45", 1.0), ("90", 0.964)):
        chosen = [index for index, row in enumerate(rows) if row["view_deg"] == view]
        flat = np.stack([images[index].ravel() for index in chosen])
        distances = np.square(flat[:, None] - flat[None]).sum(axis=2)
        np.fill_diagonal(distances, np.inf)
        people = np.array([rows[index]["subject"] for index in chosen])
        assert (people[distances.argmin(axis=1)] == people).mean() >= reference - 0.0005


def _frames(archive: zipfile.ZipFile, row: dict[str, str]) -> NDArray[np.bool_]:
    start = f"{row['subject']}/{row['sequence']}/"
    names = sorted(name for name in archive.namelist() if name.startswith(start) and name.endswith(".png"))
    pictures = [cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE) for name in names]
    return np.stack([np.asarray(picture) for picture in pictures]) > 127
