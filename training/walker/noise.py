"""Silhouettes as background subtraction leaves them: ragged, with holes, lost legs, shadows and missing frames.

How often each fault comes, and how bad, is our own choice, made to look like the silhouettes of CASIA-A. So those are
no test of whether silhouettes of another camera look alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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
    spoilt = silhouettes
    if faults.shadow:
        spoilt = spoilt | _shadow(silhouettes, faults.shadow)
    rows = _relative_rows(silhouettes)
    times = np.linspace(0, 1, len(rows))[:, None]
    lost = _squares(spoilt.shape, faults.grain + 1, faults.hole_rate, rng)
    for top, bottom, share, first, last in faults.bands:
        place = np.asarray((rows >= top) & (rows < bottom) & (times >= first) & (times <= last))
        lost |= _squares(spoilt.shape, faults.grain, share, rng) & place[..., None]
    spoilt = (spoilt & ~lost) | _squares(spoilt.shape, faults.grain + 1, faults.speck_rate, rng)
    spoilt = _wavered(spoilt, faults, rng)
    spoilt = _thickened(spoilt, faults, float((rows[0] < 1).sum() - (rows[0] < 0).sum()))
    kept = rng.uniform(size=len(spoilt)) >= faults.dropped
    return spoilt[kept]


def _draw_band(rng: np.random.Generator, bad: bool) -> tuple[float, float, float, float, float]:
    """Most often shoes and shanks, else the hips, the neck or anywhere."""
    middle = rng.choice((0.88, 0.5, 0.17, rng.uniform(0.1, 0.95)), p=(0.4, 0.2, 0.15, 0.25))
    half = rng.uniform(0.015, 0.13 if bad else 0.07)
    first = rng.uniform(-0.5, 0.8)
    share = rng.uniform(0.2, 0.9 if bad else 0.6)
    return float(middle - half), float(middle + half), float(share), float(first), float(first + rng.uniform(0.2, 1.5))


def _squares(shape: tuple[int, ...], side: int, share: float, rng: np.random.Generator) -> BoolArray:
    """Random squares (T, H, W) that cover a share of each frame."""
    if share == 0:
        return np.zeros(shape, bool)
    return np.asarray(_noise(shape, side, rng) < round(256 * share))


def _noise(shape: tuple[int, ...], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Even noise (T, H, W) in 0..255, of one value in each square."""
    frames, height, width = shape
    rows, columns = -(-height // side), -(-width // side)
    coarse = rng.integers(256, size=(frames, rows, columns), dtype=np.uint8)
    if side == 1:
        return coarse
    return coarse[:, np.arange(height)[:, None] // side, np.arange(width) // side]


def _relative_rows(silhouettes: BoolArray) -> NDArray[np.float64]:
    """(T, H) height of each row below the top of the body, as a share of the body; outside 0..1 above and below it."""
    some = np.asarray(silhouettes.any(axis=2))
    height = some.shape[1]
    top, bottom = some.argmax(axis=1), height - some[:, ::-1].argmax(axis=1)
    return np.asarray((np.arange(height) - top[:, None]) / np.maximum(bottom - top, 1)[:, None])


def _shadow(silhouettes: BoolArray, reach: float) -> BoolArray:
    """A flat shadow from under the feet to one side: the lowest rows, smeared along the ground."""
    rows = _relative_rows(silhouettes)
    feet = silhouettes & np.asarray(rows > 0.965)[..., None]
    steps = round(abs(reach) * silhouettes.shape[1])
    if reach < 0:
        feet = feet[..., ::-1]
    sums = np.cumsum(feet, axis=2, dtype=np.int32)
    sums[..., steps:] -= sums[..., :-steps].copy()
    smeared = sums > 0
    return np.asarray(smeared[..., ::-1] if reach < 0 else smeared)


def _wavered(silhouettes: BoolArray, faults: Faults, rng: np.random.Generator) -> BoolArray:
    """Blur the outline and cut it at a level that changes from square to square."""
    if faults.ragged == 0:
        return silhouettes
    frames, height, width = silhouettes.shape
    # All frames as one tall picture; bodies keep off the upper and lower edges.
    tall = silhouettes.reshape(frames * height, width).astype(np.uint8) * np.uint8(255)
    blurred = cv2.blur(tall, (3, 3)).reshape(silhouettes.shape)
    noise = _noise(silhouettes.shape, faults.grain, rng)
    levels = np.clip(127.5 + 2 * faults.ragged * (np.arange(256) - 127.5), 0, 254).astype(np.uint8)
    return np.asarray(blurred > levels[noise])


def _thickened(silhouettes: BoolArray, faults: Faults, body: float) -> BoolArray:
    """Bridge gaps and move the outline, as the filters that follow background subtraction do."""
    steps = round(abs(faults.growth) * body)
    if not faults.closing and not steps:
        return silhouettes
    # All frames as one tall picture; bodies keep off the upper and lower edges.
    tall = silhouettes.reshape(-1, silhouettes.shape[2]).astype(np.uint8)
    if faults.closing:
        tall = np.asarray(cv2.morphologyEx(tall, cv2.MORPH_CLOSE, _disc(faults.closing)), np.uint8)
    if steps:
        move = cv2.MORPH_DILATE if faults.growth > 0 else cv2.MORPH_ERODE
        tall = np.asarray(cv2.morphologyEx(tall, move, _disc(steps)), np.uint8)
    return tall.reshape(silhouettes.shape) > 0


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
