"""Frames, and their columns: what OpenCV and NumPy do row by row is several times as fast in few long rows."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def columns_first(frames: NDArray[Any]) -> NDArray[Any]:
    """Turn frames (T, H, W) round to (W, T, H), in which each column of all frames is one long row.

    Args:
        frames: bool, or integers of 8 bits.
    """
    count, height, width = frames.shape
    turned = cv2.transpose(frames.reshape(-1, width).view(np.uint8))
    return np.asarray(turned).view(frames.dtype).reshape(width, count, height)


def frames_first(columns: NDArray[Any]) -> NDArray[Any]:
    """Turn columns (W, T, H) back into frames (T, H, W)."""
    width, count, height = columns.shape
    turned = cv2.transpose(columns.reshape(width, -1).view(np.uint8))
    return np.asarray(turned).view(columns.dtype).reshape(count, height, width)
