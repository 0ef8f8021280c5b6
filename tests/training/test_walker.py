"""Rendered walkers: what is true of people's build and gait is true of them, and a seed fixes them."""

from dataclasses import replace
from statistics import median

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gait.gei import gait_energy_image
from training.walker import render_walk
from training.walker.anthropometry import Body, draw_body
from training.walker.figure import Figure, build_figure
from training.walker.motion import Gait, draw_gait, joint_angles
from training.walker.noise import Faults, spoil
from training.walker.outfit import Outfit, draw_outfit
from training.walker.rendering import Camera, fill_hulls, silhouettes_of

CLEAN = Faults(grain=1, ragged=0, hole_rate=0, bands=(), shadow=0, speck_rate=0, closing=0, growth=0, dropped=0)
FROM_THE_SIDE = Camera(view_degrees=90, distance=8, height=1.2, pixels=80)


def people(age: float, count: int = 60, female: bool = False) -> list[tuple[Body, Gait]]:
    streams = [np.random.default_rng((round(age), i)) for i in range(count)]
    bodies = [draw_body(age, female, rng) for rng in streams]
    return [(body, draw_gait(age, body, rng)) for body, rng in zip(bodies, streams, strict=True)]


def somebody(age: float = 30) -> tuple[Body, Gait, Outfit]:
    rng = np.random.default_rng(3)
    body = draw_body(age, True, rng)
    return body, draw_gait(age, body, rng), replace(draw_outfit(age, body, rng), hem=1.0, bag="none")


def figure_of(body: Body, gait: Gait, outfit: Outfit, frames: int = 60) -> Figure:
    return build_figure(body, gait, joint_angles(gait, body, frames, 25, np.random.default_rng(5)), outfit)


def test_a_seed_and_a_number_fix_a_walk() -> None:
    first, again, other = render_walk(4, 1), render_walk(4, 1), render_walk(4, 2)

    assert np.array_equal(first.silhouettes, again.silhouettes)
    assert (first.age, first.female) == (again.age, again.female)
    assert first.silhouettes.shape != other.silhouettes.shape or not np.array_equal(
        first.silhouettes, other.silhouettes
    )


@pytest.mark.parametrize(
    ("number", "frames", "pixels"),
    [(1, 63, 76295), (4, 72, 31181), (5, 44, 48134), (7, 71, 63484)],
)
def test_walks_of_a_seed_stay_those_that_the_bundled_weight_learnt_from(number: int, frames: int, pixels: int) -> None:
    silhouettes = render_walk(1, number).silhouettes

    assert len(silhouettes) == frames
    # Sines may differ in the last digit from one processor to another.
    assert np.count_nonzero(silhouettes) == pytest.approx(pixels, abs=5)


def test_ages_are_drawn_evenly_from_two_to_ninety() -> None:
    ages = [render_walk(1, number, noisy=False, size=(24, 18)).age for number in range(300)]

    assert (min(ages), max(ages)) == (2, 90)
    assert all(count > 20 for count in np.histogram(ages, bins=9, range=(2, 91))[0])


@pytest.mark.parametrize("age", [1, 91])
def test_ages_that_no_table_knows_are_refused(age: int) -> None:
    with pytest.raises(ValueError, match="2 to 90 years old"):
        render_walk(0, age=age)


@pytest.mark.parametrize("age", [2, 9, 40, 90])
def test_without_noise_a_body_is_in_one_piece_and_inside_the_canvas(age: int) -> None:
    silhouettes = render_walk(8, age, age=age, noisy=False).silhouettes

    assert silhouettes.dtype == bool
    assert all(cv2.connectedComponents(frame.astype(np.uint8))[0] == 2 for frame in silhouettes)
    assert not silhouettes[:, 0].any()
    assert not silhouettes[:, -1].any()


def test_heads_are_a_fifth_of_a_toddler_and_less_than_a_seventh_of_an_adult() -> None:
    shares = [median(body.head / body.stature for body, _ in people(age)) for age in (2, 6, 12, 30)]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(1 / 5, abs=0.01)
    assert shares[1] == pytest.approx(1 / 6, abs=0.01)
    assert shares[3] == pytest.approx(0.130, abs=0.005)


def test_legs_are_longer_in_proportion_in_adults_and_the_old_have_shrunk() -> None:
    toddler, adult, old = (median(body.leg / body.stature for body, _ in people(age)) for age in (2, 30, 85))
    young_stature, old_stature = (median(body.stature for body, _ in people(age, female=True)) for age in (25, 85))

    assert toddler < 0.46 < 0.51 < adult < old
    assert 0.05 < young_stature - old_stature < 0.14


def test_steps_lengthen_with_growth_and_shorten_in_old_age() -> None:
    steps = [median(gait.speed * gait.stride_seconds / 2 for _, gait in people(age)) for age in (2, 6, 30, 85)]

    assert steps[0] == pytest.approx(0.28, abs=0.03)  # Sutherland et al. (1980)
    assert steps[0] < steps[1] < steps[2]
    assert steps[3] < 0.8 * steps[2]


def test_strides_of_children_vary_more_and_backs_of_the_old_are_bent() -> None:
    child, adult, old = (people(age) for age in (3, 30, 80))

    assert median(g.stride_spread for _, g in child) > 3 * median(g.stride_spread for _, g in adult)
    assert median(g.bow + g.stoop for _, g in old) > 5 + median(g.bow + g.stoop for _, g in adult)


@pytest.mark.parametrize("age", [3, 10, 30, 85])
def test_feet_are_as_far_apart_as_steps_are_long_and_stand_on_the_ground(age: float) -> None:
    body, gait, outfit = somebody(age)
    figure = figure_of(body, replace(gait, stride_spread=0.0), outfit)

    heels = figure.centres["left heel"][:, 0] - figure.centres["right heel"][:, 0]
    feet = [f"{side} {part}" for side in ("left", "right") for part in ("heel", "toe")]
    lowest = np.min([figure.centres[name][:, 1] - figure.radii[name][0] for name in feet], axis=0)
    assert np.abs(heels).max() == pytest.approx(gait.speed * gait.stride_seconds / 2, rel=0.25)
    assert np.allclose(lowest, outfit.sole * body.stature)


def test_each_arm_swings_against_the_leg_of_its_side() -> None:
    body, gait, _ = somebody()
    angles = joint_angles(replace(gait, swing=(1.0, 1.0)), body, 80, 25, np.random.default_rng(0))

    for side in (0, 1):
        assert np.corrcoef(angles.shoulders[side], angles.thighs[side])[0, 1] < -0.8
    assert np.corrcoef(angles.thighs[0], angles.thighs[1])[0, 1] < -0.8


def test_the_period_of_the_gait_is_found_again_in_the_silhouettes() -> None:
    walks = [render_walk(6, number, age=35, noisy=False) for number in range(8)]

    cycles = [(walk.cycles, gait_energy_image(walk.silhouettes, (64, 44)).gait_cycles) for walk in walks]

    assert median(abs(found - true) / true for true, found in cycles) < 0.1


def test_a_body_is_wider_from_the_side_than_along_the_line_of_sight_where_legs_hide_each_other() -> None:
    body, gait, outfit = somebody()
    figure = figure_of(body, gait, outfit)

    side, behind = (
        silhouettes_of(figure, replace(FROM_THE_SIDE, view_degrees=view), body.stature, (96, 72)) for view in (90, 0)
    )

    def legs(silhouettes: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
        return float(silhouettes[:, 75:].any(axis=1).sum(axis=1).max())

    assert legs(side) > 1.5 * legs(behind)


def test_a_skirt_hides_the_gap_between_the_legs() -> None:
    body, gait, outfit = somebody()
    bare, dressed = (
        silhouettes_of(figure_of(body, gait, replace(outfit, hem=hem)), FROM_THE_SIDE, body.stature, (96, 72))
        for hem in (1.0, 0.2)
    )

    def gaps(silhouettes: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
        shanks = silhouettes[:, 70:80].astype(int)
        return int((np.diff(shanks, axis=2) == 1).sum() - shanks.any(axis=2).sum())

    assert gaps(dressed) == 0 < gaps(bare)
    assert dressed.sum() > bare.sum()


@settings(max_examples=40)
@given(ends=st.tuples(*[st.floats(5, 35)] * 4), radii=st.tuples(st.floats(1, 9), st.floats(1, 9)), data=st.data())
def test_a_part_is_filled_where_a_disc_that_slides_along_it_would_be(
    ends: tuple[float, ...], radii: tuple[float, float], data: st.DataObject
) -> None:
    points = np.array(ends, np.float32).reshape(1, 2, 2)

    filled = fill_hulls(points, np.array([radii], np.float32), np.array([[0, 1]]), (40, 40))[0]

    share = np.linspace(0, 1, 401)[:, None, None]
    centre = points[0, 0] + share[..., 0] * (points[0, 1] - points[0, 0])
    radius = radii[0] + share * (radii[1] - radii[0])
    y, x = np.mgrid[:40, :40] + 0.5
    beyond = (np.hypot(x - centre[:, 0, None, None], y - centre[:, 1, None, None]) - radius).min(axis=0)
    assert filled[beyond < -0.02].all()
    assert not filled[beyond > 0.02].any()


def test_silhouettes_without_faults_stay_as_they_are() -> None:
    silhouettes = render_walk(2, 3, noisy=False).silhouettes

    assert np.array_equal(spoil(silhouettes, CLEAN, np.random.default_rng(0)), silhouettes)


@pytest.mark.parametrize(
    ("faults", "grows"),
    [
        (replace(CLEAN, hole_rate=0.1), False),
        (replace(CLEAN, bands=((0.8, 1.0, 0.7, 0.0, 1.0),)), False),
        (replace(CLEAN, shadow=0.25), True),
        (replace(CLEAN, shadow=-0.25), True),
        (replace(CLEAN, speck_rate=0.02), True),
        (replace(CLEAN, closing=3), True),
        (replace(CLEAN, growth=0.02), True),
        (replace(CLEAN, growth=-0.02), False),
    ],
    ids=["holes", "lost shanks", "shadow ahead", "shadow behind", "specks", "bridged gaps", "thicker", "thinner"],
)
def test_faults_take_away_or_add_what_they_are_called_by(faults: Faults, grows: bool) -> None:
    silhouettes = render_walk(2, 3, noisy=False).silhouettes

    spoilt = spoil(silhouettes, faults, np.random.default_rng(0))

    kept = spoilt & silhouettes
    assert (spoilt.sum() > silhouettes.sum()) == grows
    assert np.array_equal(kept, silhouettes if grows else spoilt)


def test_lost_shanks_leave_the_rest_of_the_body_alone() -> None:
    silhouettes = render_walk(2, 3, noisy=False).silhouettes

    spoilt = spoil(silhouettes, replace(CLEAN, bands=((0.8, 1.1, 0.9, 0, 1),)), np.random.default_rng(0))

    upper = slice(0, 60)
    assert np.array_equal(spoilt[:, upper], silhouettes[:, upper])
    assert spoilt.sum() < 0.95 * silhouettes.sum()


def test_an_outline_that_grows_grows_on_all_sides_alike() -> None:
    silhouettes = render_walk(2, 3, noisy=False).silhouettes

    spoilt = spoil(silhouettes, replace(CLEAN, growth=0.015), np.random.default_rng(0))

    rows, columns = (np.flatnonzero(spoilt[0].any(axis=axis)) for axis in (1, 0))
    before = [np.flatnonzero(silhouettes[0].any(axis=axis)) for axis in (1, 0)]
    assert (rows[0], rows[-1]) == (before[0][0] - 1, before[0][-1] + 1)
    assert (columns[0], columns[-1]) == (before[1][0] - 1, before[1][-1] + 1)


def test_most_walkers_are_seen_from_the_side_and_some_from_behind_and_in_front() -> None:
    views = np.array([render_walk(1, number, noisy=False, size=(24, 18)).view_degrees for number in range(200)])

    assert (np.abs(views - 90) < 20).mean() > 0.5
    assert min((views < 20).mean(), (views > 160).mean()) > 0.03


def test_dropped_frames_are_missing_in_order() -> None:
    silhouettes = render_walk(2, 3, noisy=False).silhouettes

    kept = spoil(silhouettes, replace(CLEAN, dropped=0.3), np.random.default_rng(0))

    places = [next(i for i, frame in enumerate(silhouettes) if np.array_equal(frame, k)) for k in kept]
    assert 0.5 * len(silhouettes) < len(kept) < 0.9 * len(silhouettes)
    assert places == sorted(places)
