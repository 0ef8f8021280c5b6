"""What detectors promise of their boxes."""

import numpy as np

from models.detectors.base import detections_within


def test_boxes_are_cut_to_the_image_and_sorted_by_score() -> None:
    boxes = np.array([[-5, 2, 8, 40], [1, 1, 4, 4]])

    found = detections_within(boxes, np.array([0.4, 0.9]), (30, 20))

    assert found.boxes.tolist() == [[1, 1, 4, 4], [0, 2, 8, 30]]
    assert np.allclose(found.scores, [0.9, 0.4])
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_boxes_outside_the_image_are_left_out() -> None:
    boxes = np.array([[25, 0, 30, 10], [5, 5, 5, 9], [8, 8, 2, 2]])

    assert len(detections_within(boxes, np.ones(3), (30, 20))) == 0


def test_nothing_found_has_the_shape_of_no_boxes() -> None:
    assert detections_within(np.zeros((0, 4)), np.zeros(0), (30, 20)).boxes.shape == (0, 4)
