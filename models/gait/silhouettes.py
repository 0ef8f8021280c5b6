"""Finding the body in each silhouette: its largest part, without specks, blobs of shadow and other people."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.gait.layout import columns_first, frames_first

Silhouettes = NDArray[np.bool_]
Integers = NDArray[np.int64]

EMPTY = "no silhouette"
SMALL = "the silhouette is too small"
BORDER = "the silhouette touches the border"
BROKEN = "the silhouette does not fit its neighbours"

MIN_HEIGHT = 12
# A walking body covers about a quarter of its height squared.
HEIGHT_PER_ROOT_AREA = 2.1
CELLS_PER_BODY = 30
# Background subtraction cuts bodies at the neck and the waist; a gap of a sixth of the height is bridged.
BRIDGE = (7, 1)
# The rest are specks. A head, the smallest part of a body, is a tenth of the trunk.
MIN_PART = 0.06


@dataclass(frozen=True)
class DroppedFrame:
    """A frame that was not used, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class Bodies:
    """The body of each frame that has one, in windows of one size.

    Attributes:
        indices: (N,) of the frames.
        windows: (N, H, W) bool, the body and nothing else.
        boxes: (N, 4) x1, y1, x2, y2 of the bodies inside their windows.
        origins: (N, 2) x, y of the windows inside the frames.
        dropped: the frames without a usable body.
    """

    indices: Integers
    windows: Silhouettes
    boxes: Integers
    origins: Integers
    dropped: tuple[DroppedFrame, ...]


def find_bodies(silhouettes: Silhouettes) -> Bodies:
    """Find the largest part of each silhouette, and drop frames that show no whole body.

    Parts are found on a coarse grid, whose cells are as large as a body of the sequence's size allows, so the cost
    hardly depends on the pictures' size, and the result not on the body's.

    Args:
        silhouettes: (T, H, W), in order of time.

    Raises:
        ValueError: the array is not three-dimensional or not boolean.
    """
    if silhouettes.ndim != 3 or silhouettes.dtype != np.bool_:
        raise ValueError(f"silhouettes are (T, H, W) bool, not {silhouettes.shape} {silhouettes.dtype}")
    areas = np.array([np.count_nonzero(frame) for frame in silhouettes], np.int64)
    occupied = np.flatnonzero(areas)
    dropped = _dropped(np.flatnonzero(areas == 0), EMPTY)
    if not len(occupied):
        return Bodies(occupied, np.zeros((0, 1, 1), bool), np.zeros((0, 4), int), np.zeros((0, 2), int), dropped)
    cell = max(1, round(HEIGHT_PER_ROOT_AREA * float(np.median(np.sqrt(areas[occupied]))) / CELLS_PER_BODY))
    frames = silhouettes[occupied] if len(dropped) else silhouettes
    windows, origins = _cut_out(frames, _largest_parts(_any_per_cell(frames, cell)), cell)
    bodies = Bodies(occupied, windows, _boxes(windows), origins, dropped)
    return _drop_cut_off(bodies, silhouettes.shape[1:])


def keep(bodies: Bodies, kept: NDArray[np.bool_], reason: str) -> Bodies:
    """Drop all but the bodies of `kept` (N,)."""
    if kept.all():
        return bodies
    return Bodies(
        bodies.indices[kept],
        bodies.windows[kept],
        bodies.boxes[kept],
        bodies.origins[kept],
        tuple(sorted(bodies.dropped + _dropped(bodies.indices[~kept], reason), key=lambda frame: frame.index)),
    )


def _dropped(indices: Integers, reason: str) -> tuple[DroppedFrame, ...]:
    return tuple(DroppedFrame(int(index), reason) for index in indices)


def _any_per_cell(frames: Silhouettes, cell: int) -> Silhouettes:
    """(T, H / cell, W / cell), rounded up: whether a cell has any foreground."""
    rows = _any_of_rows(frames, cell)
    columns = columns_first(rows)
    cells = _any_of_rows(columns.reshape(1, len(columns), -1), cell)
    return frames_first(cells.reshape(-1, *rows.shape[:2]))


def _any_of_rows(pictures: Silhouettes, step: int) -> Silhouettes:
    """(T, H / step, W), rounded up: the union of each `step` rows."""
    count, height, width = pictures.shape
    whole = height // step
    united = np.zeros((count, -(-height // step), width), bool)
    # In this order memory is read through just once.
    np.logical_or.reduce(pictures[:, : whole * step].reshape(count, whole, step, width), axis=2, out=united[:, :whole])
    if whole < united.shape[1]:
        pictures[:, whole * step :].any(axis=1, out=united[:, whole])
    return united


def _largest_parts(cells: Silhouettes) -> Silhouettes:
    """The largest connected part in each frame (T, H, W), after specks are left out and gaps bridged."""
    used = np.flatnonzero(np.logical_or.reduce(cells, axis=0).any(axis=1))
    rows = slice(int(used[0]), int(used[-1]) + 1)
    parts = np.zeros_like(cells)
    parts[:, rows] = cells[:, rows]
    labels, areas, owners = _labelled(parts[:, rows])
    # Most frames of a clean sequence have one part, and nothing more is to be done with them.
    torn = np.flatnonzero(np.bincount(owners[1:], minlength=len(cells)) > 1)
    if len(torn):
        parts[torn, rows] &= _largest_bridged(_worthy(areas, owners)[labels[torn]])
    return parts


def _worthy(areas: Integers, owners: Integers) -> NDArray[np.bool_]:
    """Whether each part is no speck beside the largest one of its frame; the first is the background."""
    largest = np.zeros(owners.max() + 1)
    np.maximum.at(largest, owners[1:], areas[1:])
    worthy = np.asarray(areas >= MIN_PART * largest[owners])
    worthy[0] = False
    return worthy


def _largest_bridged(cells: Silhouettes) -> Silhouettes:
    """What belongs to the largest part of each frame (T, H, W) once gaps are bridged."""
    count, height, width = cells.shape
    tall = np.zeros((count, height + BRIDGE[0], width), np.uint8)
    tall[:, :height] = cells
    bridged = cv2.morphologyEx(tall.reshape(-1, width), cv2.MORPH_CLOSE, np.ones(BRIDGE, np.uint8))
    labels, areas, owners = _labelled(bridged.reshape(tall.shape)[:, :height] > 0)
    chosen = np.zeros(count, labels.dtype)
    by_area = np.argsort(areas[1:], kind="stable") + 1
    chosen[owners[by_area]] = by_area  # of several labels for one frame, the last one stays
    return np.asarray(labels == chosen[:, None, None])


def _labelled(pictures: Silhouettes) -> tuple[NDArray[np.int32], Integers, Integers]:
    """Connected parts of pictures (T, H, W): labels (T, H, W), and area and picture of each label."""
    count, height, width = pictures.shape
    # All pictures are one tall one to OpenCV, with an empty row between them.
    tall = np.zeros((count, height + 1, width), bool)
    tall[:, :height] = pictures
    # OpenCV's own statistics take ten times as long as its labels.
    total, labels = cv2.connectedComponents(tall.reshape(-1, width).view(np.uint8), connectivity=8)
    places = np.flatnonzero(tall)
    owned = labels.ravel()[places]
    owners = np.zeros(total, np.int64)
    owners[owned] = places // tall[0].size
    areas = np.bincount(owned, minlength=total)
    return np.asarray(labels, np.int32).reshape(tall.shape)[:, :height], areas, owners


def _cut_out(frames: Silhouettes, parts: Silhouettes, cell: int) -> tuple[Silhouettes, Integers]:
    """Windows (T, h, w) of one size around the parts, with nothing but them, and their origins (T, 2)."""
    boxes = _boxes(parts)
    width, height = (boxes[:, 2:] - boxes[:, :2]).max(axis=0)
    x, y = (np.minimum(boxes[:, i], parts.shape[2 - i] - size) for i, size in enumerate((width, height)))
    each, origins = np.arange(len(frames)), np.stack((x, y), axis=1) * cell
    masks = sliding_window_view(parts, (height, width), axis=(1, 2))[each, y, x]
    windows = np.zeros((len(frames), height * cell, width * cell), bool)
    for window, frame, (left, top) in zip(windows, frames, origins.tolist(), strict=True):
        # The last cells may reach beyond the frame.
        seen = frame[top : top + height * cell, left : left + width * cell]
        window[: seen.shape[0], : seen.shape[1]] = seen
    windows &= masks.repeat(cell, axis=2).repeat(cell, axis=1)
    return windows, origins


def _boxes(masks: Silhouettes) -> Integers:
    """(T, 4) x1, y1, x2, y2 of what is set in each mask (T, H, W)."""
    count, height, width = masks.shape
    columns = np.asarray(masks.any(axis=1))
    # As `any` does, which takes three times as long for short rows.
    rows = cv2.reduce(masks.reshape(-1, width).view(np.uint8), 1, cv2.REDUCE_MAX).reshape(count, height)
    ends = [width - columns[:, ::-1].argmax(axis=1), height - rows[:, ::-1].argmax(axis=1)]
    return np.stack([columns.argmax(axis=1), rows.argmax(axis=1), *ends], axis=1)


def _drop_cut_off(bodies: Bodies, size: tuple[int, ...]) -> Bodies:
    tall_enough = bodies.boxes[:, 3] - bodies.boxes[:, 1] >= MIN_HEIGHT
    bodies = keep(bodies, tall_enough, SMALL)
    low = bodies.boxes[:, :2] + bodies.origins
    high = bodies.boxes[:, 2:] + bodies.origins
    touching: NDArray[np.bool_] = np.concatenate((low <= 0, high >= np.array(size[::-1])), axis=1)
    # Where most frames touch both upper and lower edge, the pictures were cropped to the body.
    if np.count_nonzero(touching[:, 1] & touching[:, 3]) > len(touching) / 2:
        return bodies
    # Where most frames touch one edge, dropping them would leave nothing to speak of.
    cut = touching & (touching.sum(axis=0) <= len(touching) / 2)
    return keep(bodies, np.logical_not(cut.any(axis=1)), BORDER)
