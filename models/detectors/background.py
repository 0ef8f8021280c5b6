"""What moves before a fixed camera: silhouettes, and boxes around those that are shaped like persons."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detectors.base import Detections, Image, detections_within

MAX_GAP = 0.06
"""Pieces of one person are at most this share of the frame's height apart."""
SHADOW = 127
"""What OpenCV's MOG2 marks shadows with; foreground is 255."""


@dataclass(frozen=True)
class Foreground:
    """What stands out from the background of one frame.

    Attributes:
        mask: (H, W) bool, true where something moves; shadows, specks and holes are gone.
        detections: boxes around what has a person's shape.
    """

    mask: NDArray[np.bool_]
    detections: Detections


class BackgroundDetector:
    """Finds persons by a model of the background (Zivkovic's MOG2, 2004) that learns from every frame.

    The camera must not move, and the frames must come in order, from one thread. The first `warm_up` frames only teach
    the model: their masks are empty. Who stands still for long becomes background, and persons who overlap are one box.
    """

    def __init__(
        self, history: int = 500, warm_up: int = 10, min_height: float = 0.06, max_aspect: float = 0.8
    ) -> None:
        """Forget everything.

        Args:
            history: how many frames the background is learnt from.
            warm_up: after how many frames it is good enough to be compared with.
            min_height: of a person, as a share of the frame's.
            max_aspect: width of a person's box over its height.

        Raises:
            ValueError: a number is out of its range.
        """
        if history < 1 or warm_up < 1 or not 0 < min_height <= 1 or max_aspect <= 0:
            raise ValueError("history, warm_up and max_aspect must be positive, and min_height a share of 1")
        self._model = cv2.createBackgroundSubtractorMOG2(history, varThreshold=16, detectShadows=True)
        self._warm_up = warm_up
        self._min_height = min_height
        self._max_aspect = max_aspect
        self._seen = 0

    def update(self, frame: Image) -> Foreground:
        """Compare a frame (H, W, 3) with the background, and learn from it.

        Scores say how well a silhouette fills its box as a person does; they are no probabilities.
        """
        raw = self._model.apply(frame)
        self._seen += 1
        size = (frame.shape[0], frame.shape[1])
        if self._seen <= self._warm_up:
            return Foreground(np.zeros(size, bool), detections_within(np.zeros((0, 4)), np.zeros(0), size))
        mask = clean_mask(raw > SHADOW)
        boxes, fills = _components(mask)
        return Foreground(mask, self._persons(boxes, fills, size))

    def _persons(self, boxes: NDArray[np.float64], fills: NDArray[np.float64], size: tuple[int, int]) -> Detections:
        extent = boxes[:, 2:] - boxes[:, :2]
        aspect = extent[:, 0] / np.maximum(extent[:, 1], 1)
        upright = (extent[:, 1] >= self._min_height * size[0]) & (aspect <= self._max_aspect)
        # A person's box is about 0.4 as wide as high, and more than half of it is person.
        shape = np.exp(-(np.log(np.maximum(aspect, 1e-3) / 0.4) ** 2))
        scores = shape * np.minimum(fills / 0.5, 1)
        return detections_within(boxes[upright], scores[upright], size)


def clean_mask(raw: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take specks out of a foreground mask (H, W), bridge gaps that cut persons in pieces, and fill holes."""
    unit = max(1, round(raw.shape[0] / 240))
    mask = raw.astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _ellipse(unit, unit)).astype(np.uint8)
    # Bodies are cut across (belt, collar) more often than along, and neighbours stand side by side.
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _ellipse(2 * unit, 5 * unit)).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _ellipse(half_width: int, half_height: int) -> NDArray[np.uint8]:
    size = (2 * half_width + 1, 2 * half_height + 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size), np.uint8)


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boxes (N, 4) of what hangs together in a mask, and how much of each is filled (N,).

    Pieces that lie closely above each other count as one: a person whose middle looks like the background.
    """
    pieces = mask.astype(np.uint8)
    gap = max(1, round(mask.shape[0] * MAX_GAP))
    joined = cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8), connectivity=8)
    filled = np.bincount(labels[mask], minlength=count)[1:]
    left, top, width, height, _ = stats[1:].astype(np.float64).T
    return np.column_stack((left, top, left + width, top + height)), filled / (width * height)
