"""Fits the logistic of the built-in detector's scores: `python -m training.detection_calibration VIDEO`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.detectors.base import detections_within
from models.detectors.hog import HogDetector
from training.detection_datasets import find_detection_sets
from training.detection_evaluation import MIN_IOU, match

STEPS = 50
EVERY = 10


def fit_logistic(evidence: NDArray[np.floating], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that make 1 / (1 + exp(-(slope x + offset))) most likely, by Newton's method.

    Args:
        evidence: (N,)
        right: (N,) whether it was one; both must occur, and the evidence must not tell them apart entirely.

    Raises:
        ValueError: it does, so that no slope is steep enough.
    """
    inputs = np.column_stack((np.asarray(evidence, np.float64), np.ones(len(evidence))))
    fitted = np.zeros(2)
    if right.all() or not right.any() or evidence[right].min() > evidence[~right].max():
        raise ValueError("the evidence tells right from wrong entirely, so no logistic fits best")
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-inputs @ fitted))
        slopes = inputs.T @ (inputs * (likely * (1 - likely))[:, None])
        fitted = fitted + np.linalg.solve(slopes, inputs.T @ (right - likely))
    return float(fitted[0]), float(fitted[1])


def calibrate(video: Path, every: int = EVERY) -> tuple[float, float]:
    """Slope and offset for the built-in detector, from every so many frames of a video with MOT boxes.

    Raises:
        ValueError: the video or its boxes cannot be read, or nothing can be fitted.
    """
    evidence: list[NDArray[np.floating]] = []
    right: list[NDArray[np.bool_]] = []
    detector = HogDetector()
    for data in find_detection_sets(video):
        for number, picture in enumerate(data.pictures()):
            if number % every == 0:
                height, width = picture.image.shape[:2]
                detections = detections_within(*detector.evidence(picture.image), (height, width))
                evidence.append(detections.scores)
                right.append(match(detections, picture.boxes, MIN_IOU))
    return fit_logistic(np.concatenate(evidence), np.concatenate(right))


if __name__ == "__main__":
    slope, offset = calibrate(Path(sys.argv[1]))
    sys.stdout.write(f"slope {slope:.2f}, offset {offset:.2f}\n")
