"""Uploaded silhouettes and gait energy images to arrays: PNG parts, zip files of them, NumPy files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import (
    BODY_TOO_LARGE,
    INVALID_FIELD,
    NO_SILHOUETTE,
    TOO_FEW_FRAMES,
    TOO_MANY_IMAGES,
    ProblemError,
)
from app.images import Image, ImageLimits, decode_image

FIELD = "silhouettes"
GEI_FIELD = "gei"
MIN_FRAMES = 2
# A silhouette is black and white, but for a rim of grey that scaling leaves.
MAX_GREY_SHARE = 0.1
GREY = (40, 215)
COLOUR_DIFFERENCE = 24
GEI_RATIO = 128 / 88

Silhouettes = NDArray[np.bool_]


@dataclass(frozen=True)
class WalkLimits:
    """What one walk may be.

    Attributes:
        image: of each picture.
        max_frames: pictures.
        max_pixels: of all frames together.
        max_bytes: of an archive, unpacked.
        max_ratio: unpacked size of a picture in an archive over its packed size.
    """

    image: ImageLimits = field(default_factory=ImageLimits)
    max_frames: int = 1000
    max_pixels: int = 300_000_000
    max_bytes: int = 200_000_000
    max_ratio: int = 100


@dataclass(frozen=True)
class Notice:
    """A warning: a code for programs, and what it means here."""

    code: str
    detail: str


@dataclass(frozen=True)
class SentWalk:
    """Silhouettes (T, H, W) in order of time, and what was odd about how they came."""

    silhouettes: Silhouettes
    notices: tuple[Notice, ...]


def decode_frames(files: Sequence[bytes], names: Sequence[str], limits: WalkLimits) -> SentWalk:
    """Decode the pictures of one walk.

    They are put into the order of their names, numbers counting as numbers, if all have different ones.

    Raises:
        ProblemError: too few or too many, one is not a picture, or they are too large together.
    """
    _check_count(len(files), limits)
    order = natural_order(names) if len(set(names)) == len(files) and all(names) else list(range(len(files)))
    notices = []
    if order != sorted(order):
        detail = "the files did not come in the order of their names; they were used in the order of their names"
        notices.append(Notice("file_order", detail))
    frames, clean, pixels = [], True, 0
    for index in order:
        image = decode_image(files[index], limits.image, f"{FIELD}[{index}]")
        frame, is_silhouette = _foreground(image)
        pixels += frame.size
        _check_pixels(pixels, limits)
        frames.append(frame)
        clean &= is_silhouette
    if not clean:
        detail = "pictures are not black and white; what is brighter than a threshold was taken for the person"
        notices.append(Notice("not_silhouettes", detail))
    if len({frame.shape for frame in frames}) > 1:
        detail = "frames differ in size; they were put on one canvas with their lower edges on one line"
        notices.append(Notice("mixed_sizes", detail))
    return SentWalk(_on_one_canvas(frames, limits), tuple(notices))


def frames_of_array(array: NDArray[np.generic], limits: WalkLimits) -> SentWalk:
    """Silhouettes (T, H, W) out of an array of booleans, or of numbers, of which the upper half is foreground.

    Raises:
        ProblemError: the array has another shape or type, or is too large.
    """
    if array.ndim != 3 or array.dtype.kind not in "buif" or min(array.shape[1:], default=0) < 1:
        detail = f"{FIELD} must be an array (frames, height, width) of booleans or numbers, not {array.shape}"
        raise ProblemError(INVALID_FIELD, f"{detail} {array.dtype}", field=FIELD)
    _check_count(len(array), limits)
    _check_pixels(array.size, limits)
    if array.dtype == np.bool_:
        return SentWalk(array.astype(np.bool_), ())
    if not np.isfinite(array.astype(np.float32)).all():
        raise ProblemError(INVALID_FIELD, f"{FIELD} holds numbers that are not finite", field=FIELD)
    return SentWalk(np.asarray(array > array.max() / 2, np.bool_), ())


def decode_gei(file: bytes, limits: ImageLimits, is_named: bool = True) -> NDArray[np.float32]:
    """Decode a gait energy image (h, w), 0..1.

    Args:
        file: the encoded picture.
        limits: of the picture.
        is_named: somebody said that it is one; else a picture without grey is taken for a silhouette.

    Raises:
        ProblemError: not a picture, not of the shape of a gait energy image, black, or one silhouette.
    """
    image = decode_image(file, limits, GEI_FIELD)
    if not is_named and _is_black_and_white(image):
        detail = (
            f"the picture has no grey, so it is a silhouette; send at least {MIN_FRAMES} of a walk as {FIELD!r}, or a"
            f" gait energy image, which has grey, as {GEI_FIELD!r}"
        )
        raise ProblemError(TOO_FEW_FRAMES, detail, field=FIELD, limit=MIN_FRAMES)
    height, width = image.shape[:2]
    if not 0.9 <= height / width / GEI_RATIO <= 1.1:
        detail = (
            f"{GEI_FIELD} has {width} x {height} pixels; a gait energy image is 88 x 128, or as much higher than wide"
        )
        raise ProblemError(INVALID_FIELD, detail, field=GEI_FIELD)
    grey = np.asarray(image.mean(axis=2, dtype=np.float32) / 255, np.float32)
    if grey.max() < 0.5:
        raise ProblemError(NO_SILHOUETTE, f"{GEI_FIELD} shows nobody: it is dark everywhere", field=GEI_FIELD)
    return grey


def natural_order(names: Sequence[str]) -> list[int]:
    """Indices that sort names as people do: frame9 before frame10."""
    keys = [
        [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _parts(name)] for name in names
    ]
    return sorted(range(len(names)), key=keys.__getitem__)


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"([0-9]+)", name) if part]


def _foreground(image: Image) -> tuple[Silhouettes, bool]:
    """What is bright in a picture (H, W, 3), and whether the picture is a silhouette."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    colourful = int(np.abs(image[:, :, 0].astype(np.int16) - image[:, :, 2]).max()) > COLOUR_DIFFERENCE
    middle = np.count_nonzero((grey > GREY[0]) & (grey < GREY[1])) / grey.size
    if colourful or middle > MAX_GREY_SHARE:
        level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        return grey > level, False
    # Some data sets write 1 for the person.
    return grey > (127 if grey.max() > 1 else 0), True


def _is_black_and_white(image: Image) -> bool:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return bool(np.count_nonzero(cv2.calcHist([grey], [0], None, [256], [0, 256])) <= 2)


def _on_one_canvas(frames: Sequence[Silhouettes], limits: WalkLimits) -> Silhouettes:
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    _check_pixels(len(frames) * height * width, limits)
    canvas = np.zeros((len(frames), height, width), bool)
    for target, frame in zip(canvas, frames, strict=True):
        left = (width - frame.shape[1]) // 2
        target[height - frame.shape[0] :, left : left + frame.shape[1]] = frame
    return canvas


def _check_count(count: int, limits: WalkLimits) -> None:
    if count < MIN_FRAMES:
        detail = (
            f"{FIELD} has {count} frame; send at least {MIN_FRAMES} of a walk, or a gait energy image as {GEI_FIELD!r}"
        )
        raise ProblemError(TOO_FEW_FRAMES, detail, field=FIELD, limit=MIN_FRAMES)
    if count > limits.max_frames:
        detail = f"{FIELD} has {count} frames; send at most {limits.max_frames}"
        raise ProblemError(TOO_MANY_IMAGES, detail, field=FIELD, limit=limits.max_frames)


def _check_pixels(pixels: int, limits: WalkLimits) -> None:
    if pixels > limits.max_pixels:
        detail = f"{FIELD} has more than {limits.max_pixels} pixels in all frames; send smaller or fewer ones"
        raise ProblemError(BODY_TOO_LARGE, detail, field=FIELD, limit=limits.max_pixels)
