"""The built-in pedestrian detector."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from models.detectors.hog import MIN_SCORE, HogDetector
from models.detectors.nms import iou
from tests.models.detectors.figures import draw_person, scene
from training.detection_datasets import find_detection_sets
from training.detection_evaluation import score_detections


def test_a_standing_figure_is_found_once() -> None:
    image = scene()
    box = draw_person(image, 120, 60)

    found = HogDetector().detect(image)

    assert len(found) == 1
    assert iou(found.boxes, np.array([box])).item() > 0.6
    assert MIN_SCORE <= found.scores[0] <= 1


def test_a_small_figure_is_found_by_enlarging_the_picture() -> None:
    image = scene((120, 120))
    box = draw_person(image, 40, 30, height=60)

    enlarged, as_it_is = HogDetector().detect(image), HogDetector(max_enlargement=1).detect(image)

    assert (len(enlarged), len(as_it_is)) == (1, 0)
    assert iou(enlarged.boxes, np.array([box])).item() > 0.5


def test_somebody_much_smaller_than_the_others_of_a_picture_is_doubted() -> None:
    image = scene((320, 480))
    box = draw_person(image, 400, 30, height=60)

    def score() -> float:
        found = HogDetector(min_score=0).detect(image)
        return float(found.scores[iou(found.boxes, np.array([box]))[:, 0].argmax()])

    alone = score()
    for left in (20, 150, 280):
        draw_person(image, left, 50)

    assert score() < alone / 2


def test_a_large_picture_is_reduced_and_its_boxes_are_still_in_its_pixels() -> None:
    image = scene((640, 640))
    box = draw_person(image, 240, 120, height=400)

    found = HogDetector(max_pixels=150_000).detect(image)

    assert len(found) == 1
    assert iou(found.boxes, np.array([box])).item() > 0.6


@pytest.mark.parametrize("size", [(1, 1), (8, 300), (300, 8), (200, 200)], ids=str)
def test_a_picture_without_persons_has_none_however_small(size: tuple[int, int]) -> None:
    assert len(HogDetector(min_score=0).detect(scene(size))) == 0


def test_boxes_of_someone_cut_by_the_border_stay_within_the_picture() -> None:
    image = scene()
    draw_person(image, -20, 100)

    found = HogDetector(min_score=0).detect(image)

    assert (found.boxes >= 0).all()
    assert (found.boxes <= 320).all()


def test_threads_that_share_a_detector_get_the_same_answer() -> None:
    image = scene((200, 200))
    draw_person(image, 60, 30, height=130)
    detector = HogDetector()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: detector.detect(image), range(8)))

    assert len(answers[0]) == 1
    assert all(np.array_equal(answer.boxes, answers[0].boxes) for answer in answers)


@pytest.mark.shared
def test_most_people_of_a_street_scene_are_found(shared: Path) -> None:
    (data,) = find_detection_sets(shared / "data" / "video" / "vtest.avi")
    pictures = list(islice(data.pictures(), 100, 301, 200))

    found = [HogDetector().detect(picture.image) for picture in pictures]
    scores = score_detections(found, [picture.boxes for picture in pictures], MIN_SCORE)

    assert scores.recall > 0.6
    assert scores.precision > 0.6
