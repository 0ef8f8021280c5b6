"""COCO keypoint AP on two persons."""

import copy
from typing import Any

import pytest

from training.coco_evaluation import coco_keypoint_scores


def person(image_id: int, x: float) -> dict[str, Any]:
    keypoints = [value for k in range(17) for value in (x + 3 * k, 20 + 5 * k, 2)]
    box = [x, 20, 50, 80]
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "bbox": box, "area": 4000.0}


GROUND_TRUTH = {
    "images": [{"id": 1}, {"id": 2}],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [
        {**person(image_id, 100), "id": image_id, "iscrowd": 0, "num_keypoints": 17} for image_id in (1, 2)
    ],
}


def detections() -> list[dict[str, Any]]:
    return [
        {key: person(image_id, 100)[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 0.9}
        for image_id in (1, 2)
    ]


def test_perfect_poses_score_one_and_empty_groups_minus_one(capsys: pytest.CaptureFixture[str]) -> None:
    scores = coco_keypoint_scores(GROUND_TRUTH, detections())

    assert (scores.ap, scores.ap50, scores.ap75, scores.ar) == pytest.approx((1, 1, 1, 1))
    assert (scores.ap_medium, scores.ap_large) == pytest.approx((1, -1))
    assert capsys.readouterr().out == ""


def test_a_missed_person_halves_recall_and_what_comes_in_is_not_changed() -> None:
    found = detections()[:1]
    before = copy.deepcopy((GROUND_TRUTH, found))

    scores = coco_keypoint_scores(GROUND_TRUTH, found)

    assert scores.ar == pytest.approx(0.5)
    assert (GROUND_TRUTH, found) == before


def test_detections_that_cannot_be_scored_are_refused() -> None:
    with pytest.raises(ValueError, match="no detections"):
        coco_keypoint_scores(GROUND_TRUTH, [])
    with pytest.raises(ValueError, match="no image 7"):
        coco_keypoint_scores(GROUND_TRUTH, [detections()[0] | {"image_id": 7}])
