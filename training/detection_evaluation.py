"""Recall, precision and average precision of person detectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detectors.base import Detections
from models.detectors.nms import iou

MIN_IOU = 0.5


@dataclass(frozen=True)
class DetectionScores:
    """How well persons were found.

    Attributes:
        pictures: how many were looked at.
        persons: annotated in them.
        recall: share of the persons that a detection at or above the threshold matches; NaN without persons.
        precision: share of the detections at or above the threshold that match a person; NaN without detections.
        average_precision: area under the curve of precision, made falling, over recall, all detections considered; NaN
            without persons.
    """

    pictures: int
    persons: int
    recall: float
    precision: float
    average_precision: float


def score_detections(
    found: Sequence[Detections], truth: Sequence[NDArray[np.floating]], min_score: float, min_iou: float = MIN_IOU
) -> DetectionScores:
    """Compare detections with annotated boxes, picture by picture.

    The surest detection chooses first, among the persons that are still free, the one it overlaps most (COCO's rule).

    Args:
        found: of each picture.
        truth: (N, 4) x1, y1, x2, y2 of each picture.
        min_score: the threshold of recall and precision.
        min_iou: overlap from which a detection matches a person.

    Raises:
        ValueError: there are not as many pictures in both.
    """
    matches = [match(detections, boxes, min_iou) for detections, boxes in zip(found, truth, strict=True)]
    scores = np.concatenate([np.zeros(0, np.float32), *(detections.scores for detections in found)])
    right = np.concatenate([np.zeros(0, bool), *matches])
    persons = sum(len(boxes) for boxes in truth)
    sure = scores >= min_score
    return DetectionScores(
        len(found),
        persons,
        _share(int(right[sure].sum()), persons),
        _share(int(right[sure].sum()), int(sure.sum())),
        average_precision(scores, right, persons),
    )


def match(detections: Detections, truth: NDArray[np.floating], min_iou: float) -> NDArray[np.bool_]:
    """Which detections (N,), the surest first, have a person of their own among those annotated (M, 4)."""
    overlaps = iou(detections.boxes, truth)
    right = np.zeros(len(detections), bool)
    for index, row in enumerate(overlaps):
        if row.size and row.max() >= min_iou:
            right[index] = True
            overlaps[:, row.argmax()] = 0
    return right


def average_precision(scores: NDArray[np.floating], right: NDArray[np.bool_], persons: int) -> float:
    """Average precision as PASCAL VOC has computed it since 2010.

    Args:
        scores: (N,) of all detections in all pictures.
        right: (N,) which match a person.
        persons: annotated in all pictures.
    """
    if persons == 0:
        return float("nan")
    ranked = right[np.argsort(-scores, kind="stable")]
    precision = ranked.cumsum() / np.arange(1, len(ranked) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[ranked].sum() / persons)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
