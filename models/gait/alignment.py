"""Bodies of any size and place to silhouettes of one height, with the upper body in the middle."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.silhouettes import Bodies, Silhouettes

SIZE = (128, 88)
UPPER_ROWS = SIZE[0] // 2
# At a height of 128: what is smaller is a gap of background subtraction, not one between the legs or the arms.
CLOSING = (9, 3)
# OpenCV cannot sample pictures with more rows than a signed short can count.
MAX_REMAP_ROWS = 32_000
ROW_CENTRES, COLUMN_CENTRES = (np.arange(size, dtype=np.float32) + 0.5 for size in SIZE)

Floats = NDArray[np.float32]


def align_bodies(bodies: Bodies) -> Silhouettes:
    """Scale bodies to a height of 128, centre them on the median column of their upper half, close gaps and holes.

    That is how the gait energy images of OULP are made, which networks were trained on.

    Returns:
        (N, 128, 88) bool.
    """
    # All frames are one tall picture to OpenCV, with room between them for gaps to be closed.
    tall = np.zeros((len(bodies.windows), SIZE[0] + CLOSING[0], SIZE[1] + 2 * CLOSING[1]), bool)
    at_once = max(1, MAX_REMAP_ROWS // bodies.windows.shape[1])
    for start in range(0, len(tall), at_once):
        part = slice(start, start + at_once)
        scaled = _scale(bodies.windows[part], bodies.boxes[part].astype(np.float32))
        np.greater_equal(scaled, 128, out=_inside(tall)[part])
    return _fill(tall)


def agreement(aligned: Silhouettes) -> NDArray[np.float64]:
    """How well each upper body fits the one that most frames show: (N,) intersection over union, in 0..1."""
    upper = aligned[:, :UPPER_ROWS].reshape(len(aligned), -1).astype(np.float32)
    usual = (upper.mean(axis=0) >= 0.5).astype(np.float32)
    both = upper @ usual
    return np.asarray(both / (upper.sum(axis=1) + usual.sum() - both), np.float64)


def _scale(windows: Silhouettes, boxes: Floats) -> NDArray[np.uint8]:
    """(N, 128, 88), 255 where the body is; all windows are one tall picture to OpenCV."""
    count, height, width = windows.shape
    tops, bottoms = boxes[:, 1], boxes[:, 3]
    pixel = (bottoms - tops) / SIZE[0]
    rows = tops[:, None] + pixel[:, None] * ROW_CENTRES - 0.5
    rows = np.clip(rows, 0, height - 1) + np.arange(0, count * height, height, dtype=np.float32)[:, None]
    middles = _upper_body_column(windows, tops, bottoms)
    columns = middles[:, None] + pixel[:, None] * (COLUMN_CENTRES - SIZE[1] / 2) - 0.5
    x = np.broadcast_to(columns[:, None], (count, *SIZE)).reshape(-1, SIZE[1])
    y = np.broadcast_to(rows[:, :, None], (count, *SIZE)).reshape(-1, SIZE[1])
    stacked = windows.reshape(-1, width).view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.remap(stacked, x, y, cv2.INTER_LINEAR), np.uint8).reshape(count, *SIZE)


def _upper_body_column(windows: Silhouettes, tops: Floats, bottoms: Floats) -> Floats:
    """(N,) the column that halves the mass of the upper half of each body; legs and their stride do not move it."""
    rows = np.arange(windows.shape[1], dtype=np.float32) + 0.5
    upper = (rows < (tops + bottoms)[:, None] / 2).astype(np.float32)
    mass = np.cumsum((upper[:, None] @ windows.astype(np.float32))[:, 0], axis=1)
    half = mass[:, -1:] / 2
    column = (mass < half).sum(axis=1)
    each = np.arange(len(mass))
    before = np.where(column > 0, mass[each, column - 1], 0)
    return np.asarray(column + (half[:, 0] - before) / (mass[each, column] - before), np.float32)


def _fill(tall: Silhouettes) -> Silhouettes:
    """Close gaps and holes in frames that lie in one tall picture, and take them out of it."""
    picture = tall.reshape(-1, tall.shape[2]).view(np.uint8)
    closed = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones(CLOSING, np.uint8))
    cv2.floodFill(closed, None, (0, 0), 2)
    return np.asarray(_inside(closed.reshape(tall.shape)) != 2)


def _inside(tall: NDArray[Any]) -> NDArray[Any]:
    """The frames (N, 128, 88) of a tall picture."""
    return tall[:, CLOSING[0] :, CLOSING[1] : -CLOSING[1]]
