"""What every person detector answers."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]

DEFAULT_MIN_SCORE = 0.5


@dataclass(frozen=True)
class Detections:
    """Persons found in one image, the surest first.

    Attributes:
        boxes: (N, 4) float32 x1, y1, x2, y2 in image pixels, within the image, none of them empty.
        scores: (N,) float32, 0..1.
    """

    boxes: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.scores)


class PersonDetector(Protocol):
    """Finds persons. One detector may be asked by several threads at once."""

    def detect(self, image: Image) -> Detections:
        """Find the persons in an RGB image (H, W, 3)."""
        ...


class DetectorError(Exception):
    """A detector cannot be built: a file or a package is missing, or a description is wrong."""


def detections_within(boxes: NDArray[np.floating], scores: NDArray[np.floating], size: tuple[int, int]) -> Detections:
    """Cut boxes to an image, leave out those of which nothing is left, and sort by score.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in image pixels.
        scores: (N,)
        size: (height, width) of the image.
    """
    height, width = size
    cut = np.asarray(boxes, np.float32).reshape(-1, 4).clip(0, np.array([width, height, width, height], np.float32))
    inside = np.flatnonzero((cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1]))
    order = inside[np.argsort(-np.asarray(scores)[inside], kind="stable")]
    return Detections(cut[order], np.asarray(scores, np.float32)[order])
