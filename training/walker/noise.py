"""Silhouettes as background subtraction leaves them: ragged, with holes, lost legs, shadows and missing frames.

How often each fault comes, and how bad, is our own choice, made to look like the silhouettes of CASIA-A. So those are
no test of whether silhouettes of another camera look alike.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.layout import columns_first, frames_first

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Faults:
    """What is wrong with one sequence.

    Attributes:
        grain: side of the squares that noise comes in, in pixels.
        ragged: how much of the outline wavers.
        hole_rate: share of the squares that are missing in a body.
        bands: parts of the height that look like the background, as (top, bottom, share lost, first, last frame).
        shadow: reach of a shadow along the ground, in shares of the height; negative falls behind, 0 is none.
        speck_rate: share of the squares around a body that are set.
        closing: pixels that gaps are bridged over, as the authors of data sets do.
        growth: how much thicker the outline gets all round, in shares of the height; negative is thinner.
        dropped: share of the frames that are missing.
    """

    grain: int
    ragged: float
    hole_rate: float
    bands: tuple[tuple[float, float, float, float, float], ...]
    shadow: float
    speck_rate: float
    closing: int
    growth: float
    dropped: float


def draw_faults(rng: np.random.Generator) -> Faults:
    """Draw the faults of one sequence: a third is clean, one in five is bad."""
    badness = rng.choice(3, p=(0.33, 0.47, 0.20))
    closing, growth = int(rng.choice((0, 1, 2, 3))), float(rng.uniform(-0.008, 0.016))
    if badness == 0:
        return Faults(1, float(rng.uniform(0, 0.15)), 0.0, (), 0.0, 0.0, closing, growth, 0.0)
    bands = [_draw_band(rng, badness == 2) for _ in range(rng.choice(3, p=(0.55, 0.35, 0.10)))]
    shadow = rng.choice((-1, 1)) * rng.uniform(0.08, 0.3) if rng.uniform() < 0.2 else 0.0
    return Faults(
        grain=int(rng.integers(1, 4)),
        ragged=float(rng.uniform(0.1, 0.35 + 0.15 * badness)),
        hole_rate=float(rng.uniform(0, 0.02 * badness)),
        bands=tuple(bands),
        shadow=float(shadow),
        speck_rate=float(rng.uniform(0, 0.004 * badness)),
        closing=closing,
        growth=growth,
        dropped=float(rng.uniform(0, 0.06 * badness)),
    )


def spoil(silhouettes: BoolArray, faults: Faults, rng: np.random.Generator) -> BoolArray:
    """Silhouettes (T', H, W), T' <= T, with faults added; the stream decides where they fall."""
    shape = silhouettes.shape
    spoilt = columns_first(silhouettes)
    rows = _relative_rows(spoilt)
    times = np.linspace(0, 1, len(rows))[:, None]
    if faults.shadow:
        spoilt |= _shadow(spoilt, rows, faults.shadow)
    if faults.hole_rate:
        spoilt &= ~_squares(shape, faults.grain + 1, faults.hole_rate, rng)
    for top, bottom, share, first, last in faults.bands:
        place = np.asarray((rows >= top) & (rows < bottom) & (times >= first) & (times <= last))
        spoilt &= ~(_squares(shape, faults.grain, share, rng) & place)
    if faults.speck_rate:
        spoilt |= _squares(shape, faults.grain + 1, faults.speck_rate, rng)
    spoilt = _wavered(spoilt, faults, rng)
    spoilt = _thickened(spoilt, faults, float((rows[0] < 1).sum() - (rows[0] < 0).sum()))
    kept = rng.uniform(size=len(rows)) >= faults.dropped
    return frames_first(spoilt[:, kept])


def _draw_band(rng: np.random.Generator, bad: bool) -> tuple[float, float, float, float, float]:
    """Most often shoes and shanks, else the hips, the neck or anywhere."""
    middle = rng.choice((0.88, 0.5, 0.17, rng.uniform(0.1, 0.95)), p=(0.4, 0.2, 0.15, 0.25))
    half = rng.uniform(0.015, 0.13 if bad else 0.07)
    first = rng.uniform(-0.5, 0.8)
    share = rng.uniform(0.2, 0.9 if bad else 0.6)
    return float(middle - half), float(middle + half), float(share), float(first), float(first + rng.uniform(0.2, 1.5))


def _squares(shape: tuple[int, ...], side: int, share: float, rng: np.random.Generator) -> BoolArray:
    """Random squares that cover a share of each of the frames (T, H, W), columns first."""
    return _spread(_noise(shape, side, rng) < round(256 * share), side, shape)


def _noise(shape: tuple[int, ...], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Even noise in 0..255 for each square of frames (T, H, W)."""
    frames, height, width = shape
    rows, columns = -(-height // side), -(-width // side)
    return rng.integers(256, size=(frames, rows, columns), dtype=np.uint8)


def _spread(squares: NDArray[Any], side: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of squares in all of their pixels, as columns (W, T, H) of frames (T, H, W)."""
    return columns_first(squares.repeat(side, axis=1)[:, : shape[1]]).repeat(side, axis=0)[: shape[2]]


def _relative_rows(columns: BoolArray) -> NDArray[np.float64]:
    """(T, H) height of each row below the top of the body, as a share of the body; outside 0..1 above and below it."""
    some = np.asarray(columns.any(axis=0))
    height = some.shape[1]
    top, bottom = some.argmax(axis=1), height - some[:, ::-1].argmax(axis=1)
    return np.asarray((np.arange(height) - top[:, None]) / np.maximum(bottom - top, 1)[:, None])


def _shadow(columns: BoolArray, rows: NDArray[np.float64], reach: float) -> BoolArray:
    """A flat shadow from under the feet to one side: the lowest rows, smeared along the ground."""
    feet = columns & (rows > 0.965)
    steps = round(abs(reach) * rows.shape[1])
    ahead = np.ones((steps, 1), np.uint8)
    smeared = cv2.dilate(_picture(feet), ahead, anchor=(0, steps - 1 if reach > 0 else 0))
    return smeared.view(bool).reshape(columns.shape)


def _wavered(columns: BoolArray, faults: Faults, rng: np.random.Generator) -> BoolArray:
    """Blur the outline and cut it at a level that changes from square to square."""
    if faults.ragged == 0:
        return columns
    width, frames, height = columns.shape
    blurred = cv2.blur(_picture(columns) * np.uint8(255), (3, 3)).reshape(columns.shape)
    levels = np.clip(127.5 + 2 * faults.ragged * (np.arange(256) - 127.5), 0, 254).astype(np.uint8)
    shape = frames, height, width
    noise = _noise(shape, faults.grain, rng)
    cut = cv2.LUT(noise.reshape(frames, -1), levels).reshape(noise.shape)
    return np.asarray(blurred > _spread(cut, faults.grain, shape))


def _thickened(columns: BoolArray, faults: Faults, body: float) -> BoolArray:
    """Bridge gaps and move the outline, as the filters that follow background subtraction do."""
    steps = round(abs(faults.growth) * body)
    picture = _picture(columns)
    if faults.closing:
        picture = np.asarray(cv2.morphologyEx(picture, cv2.MORPH_CLOSE, _disc(faults.closing)), np.uint8)
    if steps:
        move = cv2.MORPH_DILATE if faults.growth > 0 else cv2.MORPH_ERODE
        picture = np.asarray(cv2.morphologyEx(picture, move, _disc(steps)), np.uint8)
    return picture.view(bool).reshape(columns.shape)


def _picture(columns: BoolArray) -> NDArray[np.uint8]:
    """All frames as one picture, 1 where columns (W, T, H) are set; bodies keep off the upper and lower edges."""
    return columns.reshape(len(columns), -1).view(np.uint8)


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    # Columns are rows here, and OpenCV's discs are not the same when turned round.
    return np.ascontiguousarray(disc.T)
