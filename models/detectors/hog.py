"""OpenCV's pedestrian detector: histograms of oriented gradients and a linear SVM (Dalal and Triggs 2005).

It needs no download and finds upright people who are seen whole. Its score is made from the windows that agree on a
person, because a person sets off several and clutter seldom more than one, and from the other persons of the picture:
what is much smaller than they are is seldom one.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detectors.base import Detections, Image, detections_within
from models.detectors.nms import iou, suppress

STRIDE = 8
LEVEL = 1.05
WINDOW = (128, 64)
# A person takes 96 of a window's 128 rows, and wants more than the 32 of 64 columns that the trained margin leaves.
PERSON = np.array([0.2, 0.08, 0.8, 0.92])
MAX_IOU = 0.45
MAX_NESTING = 0.8
AGREEING = 0.5
# Children, and people farther away, are this much smaller than others (natural logarithm) without any doubt.
FREELY_SMALLER = 0.35
DOUBT = 2.0
"""Taken off the evidence for each e-fold that a person is smaller still."""
# Logistic of a person's evidence, fitted by `python -m training.detection_calibration vtest.avi`.
SLOPE = 2.25
OFFSET = -3.28
MAX_PIXELS = 1_000_000
MIN_SCORE = 0.2
"""Where recall and precision are about the same on that video."""


@dataclass(frozen=True)
class HogDetector:
    """Finds upright people of at least 48 pixels, or more in pictures of more than `max_pixels` / 4.

    Attributes:
        min_score: persons below are left out. A score is the share of detections like it that were right where it was
            calibrated, a square seen from above; elsewhere it only ranks.
        max_pixels: the picture is brought to at most this size, which bounds what a picture costs.
        max_enlargement: but never enlarged by more.
    """

    min_score: float = MIN_SCORE
    max_pixels: int = MAX_PIXELS
    max_enlargement: float = 2.0

    def detect(self, image: Image) -> Detections:
        """Find the persons in an RGB image (H, W, 3)."""
        boxes, evidence = self.evidence(image)
        scores = 1 / (1 + np.exp(-(SLOPE * evidence + OFFSET)))
        sure = scores >= self.min_score
        return detections_within(boxes[sure], scores[sure], (image.shape[0], image.shape[1]))

    def evidence(self, image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes (N, 4) around what could be persons, and how much speaks for each (N,), without limit."""
        factor = min(self.max_enlargement, math.sqrt(self.max_pixels / (image.shape[0] * image.shape[1])))
        windows, weights = _windows(_scaled(image, factor))
        extent = np.tile(windows[:, 2:], 2)
        boxes = (np.tile(windows[:, :2], 2) + extent * PERSON) / factor
        merged, evidence = _merge(boxes, weights)
        return merged, evidence - _doubt(merged, evidence)


def _scaled(image: Image, factor: float) -> NDArray[np.uint8]:
    """Scale an image; one that is too small for a window gets black around it, on the right and below."""
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (width, height), interpolation=interpolation)
    below, right = max(0, WINDOW[0] - height), max(0, WINDOW[1] - width)
    return np.asarray(cv2.copyMakeBorder(scaled, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _windows(image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Windows (N, 4) x, y, width, height that look like persons, and their distances (N,) from the SVM's plane."""
    # A descriptor keeps buffers while it works, so threads must not share one.
    descriptor = cv2.HOGDescriptor()
    descriptor.setSVMDetector(np.array(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))
    found, weights = descriptor.detectMultiScale(
        image, 0.0, (STRIDE, STRIDE), padding=(2 * STRIDE, 2 * STRIDE), scale=LEVEL, groupThreshold=0
    )
    return np.array(found, np.float64).reshape(-1, 4), np.array(weights, np.float64).reshape(-1)


def _merge(boxes: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean boxes of windows that agree, and the logarithm of what they weigh together."""
    agreeing = iou(boxes[suppress(boxes, weights, MAX_IOU, MAX_NESTING)], boxes) >= AGREEING
    votes = agreeing * weights
    total = votes.sum(axis=1)
    merged = votes @ boxes / total[:, None]
    evidence = np.log1p(total)
    kept = suppress(merged, evidence, MAX_IOU, MAX_NESTING)
    return merged[kept], evidence[kept]


def _doubt(boxes: NDArray[np.float64], evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """What speaks against persons (N,) who are much smaller than the picture's median one, by what they weigh."""
    if len(boxes) == 0:
        return evidence
    heights = np.log(boxes[:, 3] - boxes[:, 1])
    order = np.argsort(heights)
    weighed = np.cumsum(np.expm1(evidence)[order])
    median = heights[order][np.searchsorted(weighed, weighed[-1] / 2)]
    return np.asarray(DOUBT * np.maximum(median - FREELY_SMALLER - heights, 0), np.float64)
