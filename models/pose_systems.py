"""How each pose system lays crops and heatmaps over a picture; its weights were trained for exactly that."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.crops import Region, crop_matrix, invert
from models.heatmaps import decode_dark

FloatArray = NDArray[np.float64]
Size = tuple[int, int]

# Moves corners of pixels half a pixel back, to where their centres are counted.
_HALF = np.array([[0.5], [0.5]])


@dataclass(frozen=True)
class PoseSystem:
    """What a family of pose networks has in common.

    Attributes:
        corners: whole coordinates of crops and heatmaps are the corners of pixels, as in the Stacked Hourglass codes,
            and not their centres, as in HRNet's.
        shift: whether the heatmaps of a mirrored crop are moved by one pixel (see `models.heatmaps.unmirror`).
        decode: heatmaps (B, K, H, W) made from crops of a size (height, width) to points (B, K, 2), where whole numbers
            are the centres of heatmap pixels, and scores (B, K).
    """

    corners: bool
    shift: bool
    decode: Callable[[Tensor, Size], tuple[Tensor, Tensor]]

    def matrix(self, region: Region, size: Size) -> FloatArray:
        """Affine maps (..., 2, 3) from image pixels to those of a crop or heatmap of `size` (height, width).

        Whole coordinates are centres of pixels on both sides.
        """
        matrix = crop_matrix(region, size)
        if not self.corners:
            return matrix
        offset = matrix[..., 2:] + matrix[..., :2] @ _HALF - _HALF
        return np.concatenate((matrix[..., :2], offset), axis=-1)

    def back(self, region: Region, size: Size) -> FloatArray:
        """The inverse of `matrix`."""
        return invert(self.matrix(region, size))


def _dark_hrnet(heatmaps: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    # HRNet's targets are wider at 384x288 (paper, section 4.1).
    return decode_dark(heatmaps, sigma=3.0 if size[0] >= 384 else 2.0)


def _dark_hourglass(heatmaps: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    return decode_dark(heatmaps, sigma=1.0)


HRNET = PoseSystem(corners=False, shift=True, decode=_dark_hrnet)
HOURGLASS = PoseSystem(corners=True, shift=False, decode=_dark_hourglass)

SYSTEMS = {
    "hrnet_w32_pose": HRNET,
    "hrnet_w48_pose": HRNET,
    "hourglass_bearpaw": HOURGLASS,
    "hourglass_princeton": HOURGLASS,
}
"""By the names of `models.names()`."""
