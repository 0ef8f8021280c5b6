"""Uploaded bytes to RGB arrays, with every limit on pictures in one place."""

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from app.errors import IMAGE_TOO_LARGE, IMAGE_TOO_SMALL, OVERLOADED, UNDECODABLE, ProblemError
from app.sandbox.picture_child import FORMATS, flattened, orientation_of
from app.sandbox.pictures import (
    NoDecoderError,
    PictureDecoders,
    PictureError,
    PictureLimits,
    UnknownFormatError,
)

PLAIN = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
"""How pictures begin that are decoded in this process; every other one goes to a child."""
SIDEWAYS = (5, 6, 7, 8)
REDUCTIONS = (1, 2, 4, 8)
"""Factors by which a JPEG can be made smaller while it is decoded."""
BYTES_PER_PIXEL, BASE_MEMORY_BYTES = 32, 200_000_000
"""Address space of a decoder. WebP with transparency needs most, 27 bytes a pixel, for its canvases and copies."""
DECODERS = PictureDecoders()
"""Their process is started for the first odd picture, and ends with this one."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be at most and at least.

    Attributes:
        max_bytes: encoded size.
        max_pixels: height times width, read from the header before anything is decoded.
        min_side: the shorter side in pixels.
        max_side: the longer side in pixels.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    min_side: int = 8
    max_side: int = 32_000


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, decoded to its own size or to a half, a quarter or an eighth of it.

    Attributes:
        image: (h, w, 3) uint8 RGB, upright.
        size: (height, width) of the upright picture as it was sent.
    """

    image: Image
    size: tuple[int, int]

    @property
    def scale(self) -> NDArray[np.float64]:
        """(2,) pixels of `image` along x and y for one pixel of the picture as it was sent."""
        return np.array(self.image.shape[1::-1], np.float64) / np.array(self.size[::-1], np.float64)


def decode_image(data: bytes, limits: ImageLimits, field: str = "image") -> Image:
    """Decode a picture upright, in full size; see `decode_picture`."""
    return decode_picture(data, limits, field).image


def decode_picture(data: bytes, limits: ImageLimits, field: str = "image", pixels_enough: int | None = None) -> Picture:
    """Decode a picture upright.

    EXIF orientation is applied; of an animation the first frame is taken; transparency is laid on white; 16-bit, grey,
    palette and CMYK pictures become 8-bit RGB. Plain JPEG and PNG are decoded here, all else in a child process, which
    is limited and killed if need be.

    Args:
        data: JPEG, PNG, WebP, BMP or GIF.
        limits: checked before the pixels are decoded.
        field: the request field, for the error.
        pixels_enough: a picture with more pixels is decoded to a half, a quarter or an eighth of its sides, until it
            has at most as many; a JPEG without ever being decoded in full.

    Raises:
        ProblemError: empty, not a picture, truncated, outside the limits, or more than its decoder could bear.
    """
    if not data:
        raise ProblemError(UNDECODABLE, f"{field} is empty", field=field)
    if len(data) > limits.max_bytes:
        detail = f"{field} has {len(data)} bytes; send at most {limits.max_bytes}"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_bytes)
    try:
        return _decode(data, limits, field, pixels_enough)
    except UnknownFormatError:
        detail = f"{field} is not a picture in a format that is read here: {', '.join(FORMATS)}"
        raise ProblemError(UNDECODABLE, detail, field=field) from None
    except PictureError as error:
        raise ProblemError(UNDECODABLE, f"{field} is damaged or incomplete ({error})", field=field) from None
    except (NoDecoderError, OSError):
        detail = f"there is no process to decode {field} in just now; try again, or send a JPEG"
        raise ProblemError(OVERLOADED, detail, field=field, headers={"Retry-After": "5"}) from None


def _decode(data: bytes, limits: ImageLimits, field: str, pixels_enough: int | None) -> Picture:
    for start, kind in PLAIN.items():
        if data.startswith(start):
            found = _decode_here(data, kind, limits, field, pixels_enough)
            if found is not None:
                return found
    return _decode_in_child(data, limits, field, pixels_enough)


def _decode_here(data: bytes, kind: str, limits: ImageLimits, field: str, pixels_enough: int | None) -> Picture | None:
    """A plain JPEG or PNG; None if it turns out to be odd."""
    try:
        picture = Pillow.open(io.BytesIO(data), formats=(kind,))
        size = picture.height, picture.width
        _check_size(*size, limits, field)
        factor = _reduction(picture.height * picture.width, pixels_enough)
        if kind == "PNG":
            image = _reduced(_rgb(picture), factor)
        elif picture.mode in ("RGB", "L"):
            height, width = -(-picture.height // factor), -(-picture.width // factor)
            image = np.asarray(simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width), np.uint8)
        else:
            return None
        return _turned(image, size, orientation_of(picture))
    except ProblemError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        detail = f"{field} has far more than {limits.max_pixels} pixels"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_pixels) from None
    except Exception as error:
        if kind == "JPEG":
            # Strict decoding refuses harmless oddities too; Pillow tells those from truncated pictures.
            return None
        if isinstance(error, UnidentifiedImageError):
            raise UnknownFormatError from None
        # Decoders of hostile bytes raise almost anything; whatever they raise means the picture is broken.
        raise PictureError(str(error)) from None


def _decode_in_child(data: bytes, limits: ImageLimits, field: str, pixels_enough: int | None) -> Picture:
    def check(height: int, width: int) -> None:
        _check_size(height, width, limits, field)

    image, orientation = DECODERS.decode(data, _limits_of_child(limits), check)
    size = image.shape[:2]
    return _turned(_reduced(image, _reduction(size[0] * size[1], pixels_enough)), size, orientation)


def _limits_of_child(limits: ImageLimits) -> PictureLimits:
    return PictureLimits(limits.max_pixels, BYTES_PER_PIXEL * limits.max_pixels + BASE_MEMORY_BYTES)


def _turned(image: Image, size: tuple[int, int], orientation: int) -> Picture:
    # Arrays of others are read-only at times, of which torch warns.
    upright = np.require(_upright(image, orientation), requirements=["C", "W"])
    return Picture(upright, size[::-1] if orientation in SIDEWAYS else size)


def _check_size(height: int, width: int, limits: ImageLimits, field: str) -> None:
    if height * width > limits.max_pixels:
        detail = f"{field} has {width} x {height} pixels; send at most {limits.max_pixels} in all"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_pixels)
    if max(height, width) > limits.max_side:
        detail = f"{field} has {width} x {height} pixels; each side may have at most {limits.max_side}"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_side)
    if min(height, width) < limits.min_side:
        detail = f"{field} has {width} x {height} pixels; each side must have at least {limits.min_side}"
        raise ProblemError(IMAGE_TOO_SMALL, detail, field=field, limit=limits.min_side)


def _reduction(pixels: int, enough: int | None) -> int:
    if enough is None:
        return 1
    return next((factor for factor in REDUCTIONS if pixels <= enough * factor**2), REDUCTIONS[-1])


def _reduced(image: Image, factor: int) -> Image:
    return image if factor == 1 else np.asarray(Pillow.fromarray(image).reduce(factor))


def _rgb(picture: Pillow.Image) -> Image:
    if picture.mode.startswith(("I", "F")):
        return _high_bytes(picture)
    return np.asarray(flattened(picture))


def _high_bytes(picture: Pillow.Image) -> Image:
    """16-bit grey to 8-bit RGB; Pillow's own conversion clips instead of scaling."""
    grey = np.clip(np.asarray(picture, np.float64) / 257, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _upright(image: Image, orientation: int) -> Image:
    """Undo one of the eight EXIF orientations (EXIF 2.32, tag 0x0112)."""
    if orientation in SIDEWAYS:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
