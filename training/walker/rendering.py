"""Silhouettes of a figure: a camera, and filling of rows."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.gait.layout import frames_first
from training.walker.figure import Figure

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
MARGIN = 4
TINY, FAR = np.float32(1e-6), np.float32(1e6)


@dataclass(frozen=True)
class Camera:
    """Where a walker is seen from.

    Attributes:
        view_degrees: between walking direction and line of sight; 90 is from the side, 0 from behind.
        distance: metres to the middle of the walk.
        height: metres of the lens above the ground.
        pixels: that the walker's stature has when nearest.
    """

    view_degrees: float
    distance: float
    height: float
    pixels: float


def draw_camera(stature: float, canvas_height: int, rng: np.random.Generator) -> Camera:
    """Draw a camera: six in ten from the side, one from behind or in front, others from anywhere; our own choice."""
    kind = rng.choice(3, p=(0.6, 0.1, 0.3))
    view = (90 + 7 * rng.normal(), 180 * rng.integers(2) + 7 * rng.normal(), rng.uniform(0, 180))[kind]
    return Camera(
        view_degrees=float(view),
        # Who walks along the line of sight would walk past a camera that is near.
        distance=float(rng.uniform(2.5, 9) * max(stature, 1.0) + 6 * abs(np.cos(np.radians(view)))),
        height=float(rng.uniform(0.7, 2.8)),
        pixels=float(rng.uniform(0.58, 0.9) * canvas_height),
    )


def silhouettes_of(figure: Figure, camera: Camera, stature: float, size: tuple[int, int]) -> BoolArray:
    """Silhouettes (T, H, W) of a figure, followed so that the pelvis stays in the middle column."""
    names = list(figure.centres)
    order = {name: i for i, name in enumerate(names)}
    centres = np.stack([figure.centres[name] for name in names], axis=1)
    view = np.radians(camera.view_degrees)
    ahead, sideways = np.array([figure.radii[name] for name in names]).T
    radii = np.hypot(ahead * np.sin(view), sideways * np.cos(view))
    exact, scale, ground = _project(centres, camera, stature, size, order["pelvis"])
    points, discs = exact.astype(np.float32), (radii * scale).astype(np.float32)
    legs, parts = (np.array([(order[a], order[b]) for a, b in pairs]) for pairs in (figure.legs, figure.parts))
    if figure.hem is None:
        return fill_hulls(points, discs, np.concatenate([legs, parts]), size)
    mask = fill_hulls(points, discs, legs, size)
    rows = ground - figure.hem * scale[:, order["pelvis"]]
    _hang_cloth(mask, exact[:, order["pelvis"], 1], rows)
    return mask | fill_hulls(points, discs, parts, size)


def _project(
    centres: FloatArray, camera: Camera, stature: float, size: tuple[int, int], pelvis: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pixels (T, D, 2), pixels a metre (T, D), and the row of the ground below the pelvis (T,)."""
    view = np.radians(camera.view_degrees)
    depth = camera.distance + centres @ np.array([np.cos(view), 0, -np.sin(view)])
    depth = np.maximum(depth, 0.3 * camera.distance)
    nearest = depth[:, pelvis].min()
    scale = camera.pixels * nearest / stature / depth
    x = scale * (centres @ np.array([np.sin(view), 0, np.cos(view)]))
    y = scale * (camera.height - centres[..., 1])
    x += size[1] / 2 - x[:, pelvis, None]
    down = size[0] - MARGIN - y.max()
    ground = scale[:, pelvis] * camera.height + down
    return np.stack([x, y + down], axis=2), scale, ground


def fill_hulls(points: Floats, radii: Floats, pairs: Integers, size: tuple[int, int]) -> BoolArray:
    """Fill convex hulls of pairs of discs, frame by frame.

    Only rows that a part touches are looked at. In a row each part is one interval, and a pixel is set when more
    intervals have begun than ended.

    Args:
        points: (T, D, 2) pixels.
        radii: (T, D) pixels.
        pairs: (P, 2) discs.
        size: (height, width).
    """
    frames, (height, width) = len(points), size
    a, b = points[:, pairs[:, 0]].reshape(-1, 2), points[:, pairs[:, 1]].reshape(-1, 2)
    ra, rb = radii[:, pairs[:, 0]].ravel(), radii[:, pairs[:, 1]].ravel()
    top = np.minimum(a[:, 1] - ra, b[:, 1] - rb)
    bottom = np.maximum(a[:, 1] + ra, b[:, 1] + rb)
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.int64)
    count = np.clip(np.floor(bottom - 0.5) + 1, 0, height).astype(np.int64) - first
    count = np.maximum(count, 0)
    row = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    y = row.astype(np.float32) + np.float32(0.5)
    left, right = _disc(a, ra, y, count)
    for piece in (_disc(b, rb, y, count), *_tangents(a, ra, b, rb, y, count)):
        np.minimum(left, piece[0], out=left)
        np.maximum(right, piece[1], out=right)
    begin = np.clip(np.ceil(left - 0.5), 0, width).astype(np.int64)
    end = np.maximum(np.clip(np.floor(right - 0.5) + 1, 0, width).astype(np.int64), begin)
    line = np.repeat(np.arange(len(count)) // len(pairs) * height, count) + row
    covered = _covered(begin, end, line, (width, frames * height))
    return frames_first(covered.reshape(width, frames, height))


def _covered(begin: Integers, end: Integers, line: Integers, size: tuple[int, int]) -> BoolArray:
    """Columns (W, L) of lines, set where a line has an interval, of which `begin`, `end` and `line` (N,) are given."""
    width, lines = size
    change = np.zeros((width + 1, lines), np.int8)
    np.add.at(change.reshape(-1), begin * lines + line, np.int8(1))
    np.add.at(change.reshape(-1), end * lines + line, np.int8(-1))
    for before, column in itertools.pairwise(change[:width]):
        column += before
    return np.asarray(change[:width] > 0)


def _disc(centre: Floats, radius: Floats, y: Floats, count: Integers) -> tuple[Floats, Floats]:
    """Left and right end (N,) of the disc of each part in its `count` rows; far beyond each other where it has none."""
    square = np.repeat(radius**2, count) - (y - np.repeat(centre[:, 1], count)) ** 2
    half = np.where(square > 0, np.sqrt(np.abs(square)), -FAR)
    x = np.repeat(centre[:, 0], count)
    return x - half, x + half


def _tangents(a: Floats, ra: Floats, b: Floats, rb: Floats, y: Floats, count: Integers) -> list[tuple[Floats, Floats]]:
    """Where the two outer tangents of each part's discs cross its `count` rows, as left and right ends (N,)."""
    axis = b - a
    length = np.maximum(np.hypot(axis[:, 0], axis[:, 1]), TINY)
    # Of the angle between the axis and the radii to where the tangents touch.
    cosine = np.clip((ra - rb) / length, -1, 1)
    sine = np.sqrt(1 - cosine**2)
    ux, uy = axis[:, 0] / length, axis[:, 1] / length
    crossings = []
    for side in (-1, 1):
        nx, ny = ux * cosine - side * uy * sine, uy * cosine + side * ux * sine
        x0, y0 = a[:, 0] + ra * nx, a[:, 1] + ra * ny
        x1, y1 = b[:, 0] + rb * nx, b[:, 1] + rb * ny
        slope = (x1 - x0) / np.where(np.abs(y1 - y0) < TINY, TINY, y1 - y0)
        x = np.repeat(x0, count) + (y - np.repeat(y0, count)) * np.repeat(slope, count)
        met = (y >= np.repeat(np.minimum(y0, y1), count)) & (y <= np.repeat(np.maximum(y0, y1), count))
        crossings.append((np.where(met, x, FAR), np.where(met, x, -FAR)))
    return crossings


def _hang_cloth(mask: BoolArray, top: FloatArray, bottom: FloatArray) -> None:
    """Set what lies between the outermost pixels of each row, in the rows from `top` to `bottom` (T,) of each frame."""
    rows = np.arange(mask.shape[1])
    covered = (rows >= top[:, None]) & (rows < bottom[:, None])
    legs, columns = mask[covered], np.arange(mask.shape[2])
    left, right = legs.argmax(axis=1), mask.shape[2] - legs[:, ::-1].argmax(axis=1)
    between = (columns >= left[:, None]) & (columns < right[:, None])
    mask[covered] = between & np.asarray(legs.any(axis=1))[:, None]
