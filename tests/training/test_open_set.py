"""Open-set rates and the truth of probabilities, on drawn people of whom half are enrolled."""

from xml.etree import ElementTree

import numpy as np
import pytest

from models.calibration import fit_calibration
from models.checkpoint import bundled_weights_dir, read_manifest
from models.comparisons import compare_people
from training.open_set import (
    People,
    Searches,
    dir_at_fpir,
    dir_curve,
    expected_calibration_error,
    joined,
    open_set_figures,
    rates_at,
    search_half,
)
from training.plots import Axis, line_chart


def searches(evidence: list[float], probability: list[float], right: list[bool], enrolled: list[bool]) -> Searches:
    reached = np.array(evidence)[:, None] >= [0.8, 0.65, 0.1]
    numbers = np.arange(len(evidence))
    return Searches(np.array(evidence), np.array(probability), np.array(right), np.array(enrolled), numbers, reached, 2)


FOUR = searches([0.9, 0.6, 0.7, 0.2], [0.9, 0.4, 0.6, 0.1], [True, True, False, False], [True, True, False, False])


def people(count: int, shots: int, seed: int, spread: float = 0.7) -> People:
    """Random directions, and shots around them from three cameras in turn."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 1, 32)) + spread * rng.standard_normal((count, shots, 32))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    identities, cameras = np.repeat(np.arange(count), shots), np.tile(np.arange(shots) % 3, count)
    return People(rows.reshape(-1, 32).astype(np.float32), identities, cameras)


def test_rates_count_the_enrolled_who_are_named_and_the_strangers_who_are_not_refused() -> None:
    assert vars(rates_at(FOUR, 0.65)) == {"dir": 0.5, "fpir": 0.5}
    assert vars(rates_at(FOUR, 0.1)) == {"dir": 1, "fpir": 1}


def test_dir_is_measured_where_the_wanted_share_of_strangers_is_let_through() -> None:
    assert dir_at_fpir(FOUR, 0.01) == 0.5
    assert dir_at_fpir(FOUR, 1.0) == 1
    assert np.all(np.diff(dir_curve(FOUR, np.linspace(0.01, 1, 20))) >= 0)


def test_the_calibration_error_is_how_far_probabilities_are_from_the_truth() -> None:
    assert expected_calibration_error(FOUR) == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    assert expected_calibration_error(searches([1, 1], [1, 0], [True, False], [True, False])) == 0


def test_half_of_the_people_are_found_and_the_others_are_refused() -> None:
    everyone = people(40, 9, seed=0)
    query = everyone.subset(np.arange(len(everyone.identities)) % 9 < 3)
    gallery = everyone.subset(np.arange(len(everyone.identities)) % 9 >= 3)
    others = people(40, 9, seed=1)
    calibration = fit_calibration(compare_people(others.embeddings, others.identities, others.cameras), "others")

    found = joined([search_half(query, gallery, calibration, seed) for seed in range(5)])
    row = open_set_figures(found)

    assert (row["queries"], row["enrolled"], found.enrolled.mean()) == (600, 20, 0.5)
    assert row["rank_1"] > 0.95
    assert row["FPIR(target 0.1%)"] <= row["FPIR(target 1%)"] <= 0.02
    assert 0.01 < row["FPIR(target 10%)"] < 0.12
    assert row["low(target 10%)"] < row["FPIR(target 10%)"] < row["high(target 10%)"]
    assert row["DIR(target 10%)"] > 0.7
    assert row["ECE"] < 0.08


def test_shots_of_the_query_s_camera_are_left_out_and_so_are_queries_of_whom_nothing_is_left() -> None:
    everyone = people(6, 3, seed=2)
    others = people(30, 6, seed=1)
    calibration = fit_calibration(compare_people(others.embeddings, others.identities, others.cameras), "others")
    first = everyone.subset(everyone.cameras == 0)

    same_camera = search_half(first, first, calibration, seed=0)
    other_camera = search_half(first, everyone, calibration, seed=0)
    left_in = search_half(first, first, calibration, seed=0, same_camera=True)

    assert (len(same_camera.enrolled), int(same_camera.enrolled.sum())) == (3, 0)
    assert (len(left_in.enrolled), left_in.enrolled.sum(), left_in.right.sum()) == (6, 3, 3)
    assert left_in.evidence[left_in.enrolled].min() > 0.9999
    assert (len(other_camera.enrolled), other_camera.enrolled.sum()) == (6, 3)
    assert other_camera.evidence.max() < 0.9999


def test_a_chart_is_well_formed_and_stays_within_its_axes() -> None:
    x, y = Axis("rate <log>", (0.01, 0.1, 1), log=True), Axis("share & more", (0, 1))

    chart = ElementTree.fromstring(line_chart("a < b", x, y, {"one": [(0.001, 0), (0.1, 0.5), (1, 2)]}))

    (line,) = chart.iter("{http://www.w3.org/2000/svg}polyline")
    assert line.attrib["points"] == "56.0,304.0 240.0,180.0 424.0,56.0"
    texts = [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "rate <log>", "share & more", "one", "0.01"} <= set(texts)


def test_every_bundled_calibration_asks_for_more_in_a_larger_gallery() -> None:
    calibrations = [one.calibration for one in read_manifest(bundled_weights_dir()).values() if one.calibration]

    assert calibrations
    for calibration in calibrations:
        thresholds = [calibration.threshold(0.01, size) for size in (1, 10, 100, 1000)]
        assert thresholds == sorted(set(thresholds))
        assert calibration.genuine >= 100
