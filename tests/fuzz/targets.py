"""What is fuzzed: each reader with valid inputs to start from, and the exceptions that it may answer with."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.types import Message

from app.errors import ProblemError
from app.images import ImageLimits, decode_picture
from app.uploads import UploadLimits, read_upload

SMALL = ImageLimits(max_bytes=100_000, max_pixels=1_000_000)
BOUNDARY = "gaitkeeper"


@dataclass(frozen=True)
class Target:
    """One reader of untrusted bytes.

    Attributes:
        seeds: valid inputs.
        read: reads one input; raises nothing but `refusals`.
        refusals: how it says that an input is unusable.
        weight: share of the inputs that it gets, beside the others'.
    """

    seeds: list[bytes]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = (ProblemError,)
    weight: float = 1.0


def targets() -> dict[str, Target]:
    """Every reader by name."""
    return {
        "image": Target(_pictures(), lambda data: decode_picture(data, SMALL), weight=6),
        "reduced-image": Target(_pictures(), lambda data: decode_picture(data, SMALL, pixels_enough=64), weight=2),
        "multipart": Target(_multipart(), lambda data: _upload(data, f"multipart/form-data; boundary={BOUNDARY}")),
        "json": Target(_json(), lambda data: _upload(data, "application/json")),
    }


def _pictures() -> list[bytes]:
    y, x = np.mgrid[0:24, 0:16]
    colours = np.stack([9 * y, 15 * x, 5 * (x + y)], axis=2).astype(np.uint8)
    picture = Image.fromarray(colours)
    exif = Image.Exif()
    exif[0x0112] = 6
    kept = [
        _saved(picture, "JPEG", exif=exif),
        _saved(picture, "JPEG", progressive=True, quality=50),
        _saved(picture.convert("CMYK"), "JPEG"),
        _saved(picture, "PNG"),
        _saved(picture.quantize(8), "PNG"),
        _saved(Image.fromarray(colours[..., 0].astype(np.uint16) * 257), "PNG"),
        _saved(picture.convert("RGBA"), "WEBP"),
        _saved(picture, "BMP"),
        _saved(picture, "GIF", save_all=True, append_images=[picture.rotate(90)]),
    ]
    return kept


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _multipart() -> list[bytes]:
    picture = _pictures()[0]
    valid = [
        (b'name="image"; filename="a.jpg"', picture),
        (b'name="limit"', b"5"),
        (b'name="metadata"', b'{"door": 3}'),
    ]
    refused = [(b"name=\"image\"; filename*=UTF-8''a%20b.jpg", picture)]
    return [_body(valid), _body(valid + refused)]


def _body(parts: list[tuple[bytes, bytes]]) -> bytes:
    mark = BOUNDARY.encode()
    body = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (mark, *part) for part in parts)
    return body + b"--%s--\r\n" % mark


def _json() -> list[bytes]:
    body = {"image": ["aGVsbG8=", "AAAA"], "limit": 5, "metadata": {"a": [1, 2.5, None, True, "é"]}}
    return [json.dumps(body).encode(), b'{"image": "data:image/png;base64,AAAA"}', b"[]", b"null"]


def _upload(data: bytes, content_type: str) -> object:
    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return asyncio.run(read_upload(Request(scope, receive), UploadLimits(100_000, 8)))
