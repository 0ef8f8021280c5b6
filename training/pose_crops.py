"""Square crops of persons whose keypoints are known, for training and for measuring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.crops import Region, crop_matrix, transform, warp
from training.lsp_datasets import LspPersons

MARGIN = 1.5
"""Side of a crop, in lengths of the longer side of the box around the keypoints."""


@dataclass(frozen=True)
class Crops:
    """Persons cut out to squares of one size.

    Attributes:
        images: (N, S, S, 3) RGB uint8, black outside the picture.
        points: (N, K, 2) x, y in crop pixels; the centre of the top-left pixel is (0, 0).
        visible: (N, K) which of them count.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    visible: NDArray[np.bool_]

    def subset(self, indices: NDArray[np.int64]) -> "Crops":
        """The crops at `indices`, in that order."""
        return Crops(self.images[indices], self.points[indices], self.visible[indices])


def square_crops(data: LspPersons, side: int) -> Crops:
    """Cut everybody out around the visible keypoints; pictures that are squares of that side are taken as they are."""
    images, points = [], []
    for image, own, seen in zip(data.images, data.points, data.visible, strict=True):
        if image.shape[:2] == (side, side):
            images.append(image)
            points.append(own)
            continue
        matrix = crop_matrix(keypoint_region(own, seen), (side, side))
        images.append(warp(image, matrix, (side, side)))
        points.append(transform(own, matrix))
    return Crops(np.stack(images), np.stack(points), data.visible)


def keypoint_region(points: NDArray[np.floating], visible: NDArray[np.bool_]) -> Region:
    """The square around a person's visible keypoints (K, 2), `MARGIN` times as wide as they need."""
    seen = points[visible]
    first, end = seen.min(axis=0), seen.max(axis=0)
    return Region((first + end) / 2, np.asarray(max(1.0, (end - first).max()) * MARGIN))
