"""Uploaded bytes to RGB arrays, with every limit on pictures in one place."""

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from app.errors import IMAGE_TOO_LARGE, IMAGE_TOO_SMALL, UNDECODABLE, ProblemError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
EXIF_ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)
REDUCTIONS = (1, 2, 4, 8)
"""Factors by which a JPEG can be made smaller while it is decoded."""

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
    palette and CMYK pictures become 8-bit RGB.

    Args:
        data: JPEG, PNG, WebP, BMP or GIF.
        limits: checked before the pixels are decoded.
        field: the request field, for the error.
        pixels_enough: a picture with more pixels is decoded to a half, a quarter or an eighth of its sides, until it
            has at most as many; a JPEG without ever being decoded in full.

    Raises:
        ProblemError: empty, not a picture, truncated, or outside the limits.
    """
    if not data:
        raise ProblemError(UNDECODABLE, f"{field} is empty", field=field)
    if len(data) > limits.max_bytes:
        detail = f"{field} has {len(data)} bytes; send at most {limits.max_bytes}"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_bytes)
    try:
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
        picture_size = picture.height, picture.width
        _check_size(*picture_size, limits, field)
        factor = _reduction(picture.height * picture.width, pixels_enough)
        orientation = _orientation(picture)
        # Pillow's own arrays are read-only, of which torch warns.
        image = np.require(_upright(_pixels(picture, data, factor), orientation), requirements=["C", "W"])
        return Picture(image, picture_size[::-1] if orientation in SIDEWAYS else picture_size)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        detail = f"{field} has far more than {limits.max_pixels} pixels"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field=field, limit=limits.max_pixels) from None
    except UnidentifiedImageError:
        detail = f"{field} is not a picture in a format that is read here: {', '.join(FORMATS)}"
        raise ProblemError(UNDECODABLE, detail, field=field) from None
    except ProblemError:
        raise
    except Exception as error:
        # Decoders of hostile bytes raise almost anything; whatever they raise means the picture is broken.
        raise ProblemError(UNDECODABLE, f"{field} is damaged or incomplete ({error})", field=field) from None


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


def _pixels(picture: Pillow.Image, data: bytes, factor: int) -> Image:
    if picture.format == "JPEG" and picture.mode in ("RGB", "L"):
        height, width = -(-picture.height // factor), -(-picture.width // factor)
        try:
            return np.asarray(simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width), np.uint8)
        except ValueError:
            # Strict decoding refuses harmless oddities too; Pillow tells those from truncated pictures.
            pass
    image = _rgb(picture)
    return image if factor == 1 else np.asarray(Pillow.fromarray(image).reduce(factor))


def _rgb(picture: Pillow.Image) -> Image:
    if picture.mode.startswith(("I", "F")):
        return _high_bytes(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, "white")
        return np.asarray(Pillow.alpha_composite(white, rgba).convert("RGB"))
    return np.asarray(picture.convert("RGB"))


def _high_bytes(picture: Pillow.Image) -> Image:
    """16-bit grey to 8-bit RGB; Pillow's own conversion clips instead of scaling."""
    grey = np.clip(np.asarray(picture, np.float64) / 257, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _orientation(picture: Pillow.Image) -> int:
    try:
        return int(picture.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # a picture with damaged EXIF data is still a picture
        return 1


def _upright(image: Image, orientation: int) -> Image:
    """Undo one of the eight EXIF orientations (EXIF 2.32, tag 0x0112)."""
    if orientation in SIDEWAYS:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
