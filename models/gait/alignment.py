"""Bodies of any size and place to silhouettes of one height, with the upper body in the middle."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.layout import columns_first, frames_first
from models.gait.silhouettes import Bodies, Silhouettes

SIZE = (128, 88)
UPPER_ROWS = SIZE[0] // 2
# At a height of 128: what is smaller is a gap of background subtraction, not one between the legs or the arms.
CLOSING = (9, 3)
# That OpenCV takes at once. More do not stay in the processor's cache, and it counts columns with 16 bits, ...
FRAMES_AT_ONCE = 24
# ... those of what it samples from with 15.
MAX_COLUMNS = 32_000
ROW_CENTRES, COLUMN_CENTRES = (np.arange(size, dtype=np.float32) + 0.5 for size in SIZE)

Floats = NDArray[np.float32]


def align_bodies(bodies: Bodies) -> Silhouettes:
    """Scale bodies to a height of 128, centre them on the median column of their upper half, close gaps and holes.

    That is how the gait energy images of OULP are made, which networks were trained on.

    Returns:
        (N, 128, 88) bool.
    """
    count, boxes = len(bodies.windows), bodies.boxes.astype(np.float32)
    scales = (boxes[:, 3] - boxes[:, 1]) / np.float32(SIZE[0])
    middles = _upper_body_column(bodies.windows, boxes[:, 1], boxes[:, 3])
    used = _used_columns(boxes, middles, scales)
    x = middles + scales * (COLUMN_CENTRES[used, None] - SIZE[1] / 2) - 0.5
    y = boxes[:, 1, None] + scales[:, None] * ROW_CENTRES - 0.5
    # All frames side by side are one picture to OpenCV, with room around them for gaps to be closed. Their columns are
    # its rows: it is several times as fast in few long rows as in many short ones.
    room = np.zeros((len(x) + 2 * CLOSING[1], count + 1, SIZE[0] + CLOSING[0]), bool)
    at_once = max(1, min(FRAMES_AT_ONCE, MAX_COLUMNS // bodies.windows.shape[1]))
    for start in range(0, count, at_once):
        part = slice(start, start + at_once)
        scaled = _sample(bodies.windows[part], x[:, part], y[part])
        np.greater_equal(scaled, 128, out=room[CLOSING[1] : -CLOSING[1], :-1][:, part, CLOSING[0] :])
    aligned = np.zeros((count, *SIZE), bool)
    aligned[:, :, used] = _filled(room)[:-1]
    return aligned


def agreement(aligned: Silhouettes) -> NDArray[np.float64]:
    """How well each upper body fits the one that most frames show: (N,) intersection over union, in 0..1."""
    upper = aligned[:, :UPPER_ROWS].reshape(len(aligned), -1).astype(np.float32)
    usual = (upper.mean(axis=0) >= 0.5).astype(np.float32)
    both = upper @ usual
    return np.asarray(both / (upper.sum(axis=1) + usual.sum() - both), np.float64)


def _used_columns(boxes: Floats, middles: Floats, scales: Floats) -> slice:
    """Of the 88 columns those that some body reaches."""
    first = ((boxes[:, 0] - middles) / scales).min() + SIZE[1] / 2
    last = ((boxes[:, 2] - middles) / scales).max() + SIZE[1] / 2
    return slice(max(0, math.floor(first) - 1), min(SIZE[1], math.ceil(last) + 1))


def _sample(windows: Silhouettes, x: Floats, y: Floats) -> NDArray[np.uint8]:
    """(W, N, 128), 255 where the body is, at columns x (W, N) and rows y (N, 128) of the windows."""
    count, height, width = windows.shape
    ahead = np.arange(0, count * height, height, dtype=np.float32)[:, None]
    along = (np.clip(y, 0, height - 1) + ahead).ravel()
    across = x.repeat(SIZE[0], axis=1)
    source = columns_first(windows).reshape(width, -1) * np.uint8(255)
    scaled = cv2.remap(source, np.broadcast_to(along, across.shape), across, cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8).reshape(*x.shape, SIZE[0])


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


def _filled(room: Silhouettes) -> Silhouettes:
    """Close gaps and holes in frames that lie in one picture, and take them out of it as (N, 128, W)."""
    picture = room.reshape(len(room), -1).view(np.uint8)
    closed = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones(CLOSING[::-1], np.uint8))
    length = FRAMES_AT_ONCE * room.shape[2]
    for start in range(0, closed.shape[1], length):
        part = closed[:, start : start + length + CLOSING[0]]
        part[:, : CLOSING[0]] = 0  # this room was filled with the frames before it
        cv2.floodFill(part, None, (0, 0), 2)
    frames = frames_first(closed.reshape(room.shape)[CLOSING[1] : -CLOSING[1]])
    return np.asarray(frames[:, CLOSING[0] :] != 2)
