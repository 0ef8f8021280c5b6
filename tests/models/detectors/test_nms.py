"""Overlaps and non-maximum suppression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detectors.nms import iou, nesting, suppress

corner, side, score = st.integers(0, 50), st.integers(1, 30), st.floats(0, 1)
Rows = list[tuple[int, int, int, int, float]]
rows = st.lists(st.tuples(corner, corner, side, side, score), max_size=12)


def split(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(rows, np.float64).reshape(-1, 5)
    return np.column_stack((table[:, :2], table[:, :2] + table[:, 2:4])), table[:, 4]


def test_overlap_is_the_shared_area_over_all_or_over_the_smaller_box() -> None:
    large, inner, apart = np.array([[0, 0, 10, 10]]), np.array([[0, 0, 5, 5]]), np.array([[20, 20, 30, 30]])

    assert (iou(large, inner)[0, 0], nesting(large, inner)[0, 0]) == (0.25, 1.0)
    assert (iou(large, apart)[0, 0], nesting(large, apart)[0, 0]) == (0.0, 0.0)


def test_empty_boxes_overlap_nothing() -> None:
    empty = np.array([[3, 3, 3, 3]])

    assert (iou(empty, empty)[0, 0], nesting(empty, empty)[0, 0]) == (0.0, 0.0)


@pytest.mark.parametrize(("max_nesting", "kept"), [(1.0, [0, 1]), (0.8, [0])], ids=["ignored", "seen"])
def test_a_small_box_within_a_large_one_goes_if_nesting_counts(max_nesting: float, kept: list[int]) -> None:
    boxes = np.array([[0, 0, 40, 100], [10, 10, 30, 60]])

    assert suppress(boxes, np.array([0.9, 0.8]), 0.5, max_nesting).tolist() == kept


def test_what_overlaps_only_a_dropped_box_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])

    assert suppress(boxes, np.array([0.9, 0.8, 0.7]), 0.4).tolist() == [0, 2]


@given(rows=rows)
def test_kept_boxes_come_best_first_and_do_not_overlap_too_much(rows: Rows) -> None:
    boxes, scores = split(rows)

    kept = suppress(boxes, scores, 0.4)

    assert (np.diff(scores[kept]) <= 0).all()
    assert (np.triu(iou(boxes[kept], boxes[kept]), 1) <= 0.4).all()


@given(rows=rows)
def test_every_dropped_box_has_a_better_one_that_covers_it(rows: Rows) -> None:
    boxes, scores = split(rows)

    kept = suppress(boxes, scores, 0.4)

    for dropped in set(range(len(boxes))) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[dropped]]
        assert (iou(boxes[rivals], boxes[[dropped]]) > 0.4).any()
