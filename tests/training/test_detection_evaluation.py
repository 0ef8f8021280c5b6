"""Recall, precision and average precision, with answers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detectors.base import Detections, detections_within
from training.detection_evaluation import average_precision, match, score_detections

PERSON = (10.0, 10.0, 30.0, 60.0)
OTHER = (50.0, 10.0, 70.0, 60.0)
NOBODY = (80.0, 80.0, 90.0, 99.0)


def found(*rows: tuple[tuple[float, ...], float]) -> Detections:
    return detections_within(np.array([box for box, _ in rows]), np.array([score for _, score in rows]), (100, 100))


def truth(*boxes: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(boxes, np.float64).reshape(-1, 4)


def test_recall_and_precision_count_what_is_at_or_above_the_threshold() -> None:
    detections = found((PERSON, 0.9), (NOBODY, 0.5), (OTHER, 0.3))

    scores = score_detections([detections], [truth(PERSON, OTHER)], min_score=0.5)

    assert (scores.pictures, scores.persons, scores.recall, scores.precision) == (1, 2, 0.5, 0.5)
    assert scores.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_second_box_around_the_same_person_is_wrong() -> None:
    near = (11.0, 10.0, 31.0, 60.0)

    assert match(found((near, 0.8), (PERSON, 0.9)), truth(PERSON), 0.5).tolist() == [True, False]


def test_the_surest_takes_the_person_it_overlaps_most() -> None:
    left, right = (0.0, 0.0, 20.0, 50.0), (8.0, 0.0, 28.0, 50.0)
    between = (5.0, 0.0, 25.0, 50.0)

    assert match(found((between, 0.9), (left, 0.8)), truth(left, right), 0.5).tolist() == [True, True]


def test_without_persons_or_detections_there_is_no_share() -> None:
    nobody = score_detections([found((PERSON, 0.9))], [truth()], 0.5)
    nothing = score_detections([found()], [truth(PERSON)], 0.5)

    assert (math.isnan(nobody.recall), nobody.precision) == (True, 0.0)
    assert (nothing.recall, math.isnan(nothing.precision), nothing.average_precision) == (0.0, True, 0.0)


def test_as_many_truths_as_pictures_are_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        score_detections([found()], [], 0.5)


@given(right=st.lists(st.booleans(), min_size=1, max_size=20), missed=st.integers(0, 3))
def test_average_precision_is_between_nought_and_recall(right: list[bool], missed: int) -> None:
    persons = sum(right) + missed + 1
    scores = np.linspace(1, 0, len(right))

    assert 0 <= average_precision(scores, np.array(right), persons) <= sum(right) / persons + 1e-12
