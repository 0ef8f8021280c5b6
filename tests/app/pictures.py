"""Pictures that users send, made on the spot."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXIF_ORIENTATION = 0x0112


def pattern(height: int = 64, width: int = 32) -> NDArray[np.uint8]:
    """A smooth picture without symmetry (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    return np.round(255 * np.stack([y, x, y * x], axis=2)).astype(np.uint8)


def encode(image: NDArray[np.uint8] | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Encode a picture with Pillow."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def rotated_by_exif(image: NDArray[np.uint8], orientation: int, kind: str) -> bytes:
    """Encode a picture that says in its EXIF data how it is to be turned."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return encode(image, kind, exif=exif, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
