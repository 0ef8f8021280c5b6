"""A fixed camera's background model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detectors.background import BackgroundDetector, clean_mask
from models.detectors.nms import iou
from tests.models.detectors.figures import draw_person, scene

WARM_UP = 10


def street(frame: int, noise: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[int, int, int, int] | None]:
    """An empty street for a while, then someone who walks along it; the camera's noise is on all of it."""
    image = scene((240, 320))
    box = draw_person(image, 10 + 6 * (frame - 20), 60, height=120) if frame >= 20 else None
    noisy = image + noise.normal(0, 2, image.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8), box


def test_someone_who_walks_is_found_with_the_silhouette() -> None:
    noise, detector = np.random.default_rng(0), BackgroundDetector()
    for frame in range(40):
        image, box = street(frame, noise)
        seen = detector.update(image)

    assert box is not None
    assert len(seen.detections) == 1
    assert iou(seen.detections.boxes, np.array([box])).item() > 0.6
    x1, y1, x2, y2 = box
    assert seen.mask.shape == (240, 320)
    assert seen.mask.dtype == np.bool_
    assert seen.mask[y1:y2, x1:x2].mean() > 0.3
    assert seen.mask.sum() == seen.mask[y1 - 5 : y2 + 5, x1 - 5 : x2 + 5].sum()


def test_an_empty_street_has_an_empty_mask() -> None:
    noise, detector = np.random.default_rng(0), BackgroundDetector()
    for frame in range(20):
        seen = detector.update(street(frame, noise)[0])

    assert not seen.mask.any()
    assert len(seen.detections) == 0


def test_the_first_frames_only_teach() -> None:
    detector = BackgroundDetector(warm_up=WARM_UP)
    image = scene((240, 320))
    for _ in range(WARM_UP - 1):
        detector.update(image)
    draw_person(image, 100, 60, height=120)

    assert not detector.update(image).mask.any()
    draw_person(image, 200, 60, height=120)
    assert detector.update(image).mask.any()


def test_what_is_wider_than_high_or_small_is_no_person_but_stays_in_the_mask() -> None:
    detector = BackgroundDetector()
    for _ in range(20):
        detector.update(scene((240, 320)))
    image = scene((240, 320))
    image[100:140, 50:250] = 30
    image[20:30, 20:26] = 30

    seen = detector.update(image)

    assert seen.mask[120, 150]
    assert len(seen.detections) == 0


def test_a_mask_loses_specks_and_holes() -> None:
    raw = np.zeros((240, 320), bool)
    raw[50:150, 100:140] = True
    raw[90:100, 115:125] = False
    raw[200, 200] = True

    mask = clean_mask(raw)

    assert mask[95, 120]
    assert not mask[195:205, 195:205].any()


@pytest.mark.parametrize(
    "wrong", [{"history": 0}, {"warm_up": 0}, {"min_height": 0.0}, {"min_height": 1.5}, {"max_aspect": 0.0}], ids=str
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        BackgroundDetector(**wrong)
