"""Gait energy images (Han and Bhanu 2006): the mean of aligned silhouettes, even over the gait cycle."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.gait.alignment import SIZE, agreement, align_bodies
from models.gait.period import cycle_weights, gait_period, lower_body_width
from models.gait.silhouettes import BROKEN, Bodies, DroppedFrame, Integers, Silhouettes, find_bodies, keep

SIZES = (SIZE, (64, 44))
# A body's height changes slowly, with the bobbing of the steps and the way to the camera.
MAX_HEIGHT_CHANGE = 0.15
NEIGHBOURS = 9
# A frame must agree with the usual upper body at least this much of what frames usually do.
MIN_AGREEMENT = 0.75


class NoSilhouetteError(ValueError):
    """No frame has a usable silhouette.

    Args:
        dropped: every frame, with its reason.
    """

    def __init__(self, dropped: tuple[DroppedFrame, ...]) -> None:
        reasons = sorted({frame.reason for frame in dropped})
        super().__init__(f"no frame can be used: {', '.join(reasons) or 'there are none'}")
        self.dropped = dropped


@dataclass(frozen=True)
class AlignedWalk:
    """The usable silhouettes of a walk, all of one height and centred on the upper body.

    Attributes:
        silhouettes: (N, h, w) bool.
        indices: (N,) of the frames they came from.
        agreement: (N,) how well each upper body fits the usual one, in 0..1.
        dropped: the other frames.
    """

    silhouettes: Silhouettes
    indices: Integers
    agreement: NDArray[np.float64]
    dropped: tuple[DroppedFrame, ...]


@dataclass(frozen=True)
class Gei:
    """A gait energy image and what it was made of.

    Attributes:
        image: (h, w) float32 in 0..1, 1 where the body always is.
        frames: how many were given.
        frames_used: how many the image is the mean of.
        dropped: frames without a usable silhouette.
        gait_cycles: between the first and the last usable frame; 0 if no period was found.
        period_frames: frames of one gait cycle.
        indices: (N,) of the usable frames.
        width_signal: (N,) width of the legs in them, as a share of the body's height.
        quality: mean agreement of the upper bodies in 0..1, times the share of frames that are usable.
    """

    image: NDArray[np.float32]
    frames: int
    frames_used: int
    dropped: tuple[DroppedFrame, ...]
    gait_cycles: float
    period_frames: float | None
    indices: Integers
    width_signal: NDArray[np.float32]
    quality: float


def gait_energy_image(silhouettes: Silhouettes, size: tuple[int, int] = SIZE) -> Gei:
    """Turn the silhouettes of one walk into a gait energy image, as OULP has them.

    Args:
        silhouettes: (T, H, W), in order of time.
        size: (128, 88) or (64, 44).

    Raises:
        NoSilhouetteError: no frame has a usable silhouette.
        ValueError: another size, or `silhouettes` are not (T, H, W) bool.
    """
    _check_size(size)
    walk = align(silhouettes)
    widths = lower_body_width(walk.silhouettes)
    period = gait_period(widths, walk.indices)
    cycles, weights = cycle_weights(walk.indices, period)
    image = np.tensordot(weights, walk.silhouettes.astype(np.float32), axes=1)
    return Gei(
        image=_halve(image) if size != SIZE else image,
        frames=len(silhouettes),
        frames_used=len(walk.indices),
        dropped=walk.dropped,
        gait_cycles=cycles,
        period_frames=period,
        indices=walk.indices,
        width_signal=widths,
        quality=float(walk.agreement.mean() * len(walk.indices) / len(silhouettes)),
    )


def align(silhouettes: Silhouettes, size: tuple[int, int] = SIZE) -> AlignedWalk:
    """Clean and align the silhouettes of one walk, without the frames that are empty, cut off or broken.

    Args:
        silhouettes: (T, H, W), in order of time.
        size: (128, 88) or (64, 44).

    Raises:
        NoSilhouetteError: no frame has a usable silhouette.
        ValueError: another size, or `silhouettes` are not (T, H, W) bool.
    """
    _check_size(size)
    bodies = find_bodies(silhouettes)
    bodies = keep(bodies, _height_fits(bodies), BROKEN)
    if not len(bodies.indices):
        raise NoSilhouetteError(bodies.dropped)
    aligned = align_bodies(bodies)
    fits = agreement(aligned)
    kept = fits >= MIN_AGREEMENT * np.median(fits)
    bodies, aligned = keep(bodies, kept, BROKEN), aligned[kept]
    if size != SIZE:
        aligned = np.stack([_halve(frame.astype(np.float32)) >= 0.5 for frame in aligned])
    return AlignedWalk(aligned, bodies.indices, fits[kept], bodies.dropped)


def _height_fits(bodies: Bodies) -> NDArray[np.bool_]:
    """(N,) whether each body is about as high as its neighbours in time."""
    heights = (bodies.boxes[:, 3] - bodies.boxes[:, 1]).astype(np.float64)
    if not len(heights):
        return np.zeros(0, bool)
    padded = np.pad(heights, NEIGHBOURS // 2, mode="reflect" if len(heights) > NEIGHBOURS else "edge")
    usual = np.sort(sliding_window_view(padded, NEIGHBOURS), axis=1)[:, NEIGHBOURS // 2]
    return np.asarray(np.abs(heights / usual - 1) <= MAX_HEIGHT_CHANGE)


def _halve(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(image, SIZES[1][::-1], interpolation=cv2.INTER_AREA), np.float32)


def _check_size(size: tuple[int, int]) -> None:
    if size not in SIZES:
        raise ValueError(f"size is {size}; gait energy images are {' or '.join(map(str, SIZES))}")
