"""What is fuzzed: each reader with valid inputs to start from, and the exceptions that it may answer with."""

import asyncio
import contextlib
import functools
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.types import Message

from app.bulk import BulkLimits, read_bulk
from app.errors import ProblemError
from app.gait_archives import read_walk
from app.gait_uploads import WalkLimits
from app.images import ImageLimits, decode_picture
from app.oip import parse_request
from app.sandbox import picture_child, video_child
from app.sandbox.pipes import in_memory
from app.sandbox.video import VideoError, VideoLimits, decode_video, is_video
from app.uploads import UploadLimits, read_upload

SMALL = ImageLimits(max_bytes=100_000, max_pixels=1_000_000)
WALK = WalkLimits(SMALL, max_frames=8, max_pixels=1_000_000, max_bytes=1_000_000)
BULK = BulkLimits(max_items=8, max_image_bytes=100_000, max_bytes=1_000_000)
CLIP = VideoLimits(cpu_seconds=10, max_pixels=1_000_000, max_frames=20)
BOUNDARY = "gaitkeeper"


class _Refused(Exception):
    """A reader that answers otherwise than by an exception has refused."""


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
    pictures, odd = _plain_pictures(), _odd_pictures()
    return {
        "image": Target(pictures, lambda data: decode_picture(data, SMALL), weight=2),
        "reduced-image": Target(pictures, lambda data: decode_picture(data, SMALL, pixels_enough=64)),
        # What runs in a child process; here without one, so that many can be tried.
        "odd-image": Target(pictures + odd, _decode_as_child, (_Refused,), weight=6),
        "odd-image-in-child": Target(odd, lambda data: decode_picture(data, SMALL), weight=0.3),
        "zip-walk": Target(_walks(), _read_walk, weight=2),
        "npz-walk": Target([_zip({"silhouettes.npy": array}) for array in _arrays()], _read_walk, weight=2),
        # Mutants of a zip file's content fail its checksums; these do not.
        "npy-walk": Target(_arrays(), lambda data: _read_walk(_zip({"silhouettes.npy": data})), weight=2),
        "zip-bulk": Target(_bulk_zips(), lambda data: read_bulk("application/zip", data, BULK), weight=2),
        "ndjson": Target([_lines()], lambda data: read_bulk("application/x-ndjson", data, BULK), weight=2),
        "video": Target(_videos(), _watch_as_child, (_Refused,)),
        "video-in-child": Target(_videos(), lambda data: list(decode_video(data, CLIP)), (VideoError,), weight=0.01),
        "tensors": Target(_tensors(), _parse_tensors),
        "multipart": Target(_multipart(), lambda data: _upload(data, f"multipart/form-data; boundary={BOUNDARY}")),
        "json": Target(_json(), lambda data: _upload(data, "application/json")),
    }


def _plain_pictures() -> list[bytes]:
    picture = Image.fromarray(_colours())
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        _saved(picture, "JPEG", exif=exif),
        _saved(picture, "JPEG", progressive=True, quality=50),
        _saved(picture, "PNG"),
        _saved(picture.quantize(8), "PNG"),
        _saved(Image.fromarray(_colours()[..., 0].astype(np.uint16) * 257), "PNG"),
    ]


def _odd_pictures() -> list[bytes]:
    picture = Image.fromarray(_colours())
    return [
        _saved(picture.convert("CMYK"), "JPEG"),
        _saved(picture.convert("RGBA"), "WEBP"),
        _saved(picture, "WEBP", lossless=True),
        _saved(picture, "BMP"),
        _saved(picture.quantize(8), "BMP"),
        _saved(picture, "GIF", save_all=True, append_images=[picture.rotate(90)]),
    ]


def _colours() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:24, 0:16]
    return np.stack([9 * y, 15 * x, 5 * (x + y)], axis=2).astype(np.uint8)


def _decode_as_child(data: bytes) -> None:
    """What the child does with a picture; it reports damage itself."""

    def tell(kind: int, first: int, second: int, third: int, content: bytes) -> None:
        if kind in (picture_child.UNKNOWN, picture_child.DAMAGED):
            raise _Refused

    picture_child.decode(io.BytesIO(data), SMALL.max_pixels, tell)


def _read_walk(data: bytes) -> object:
    return read_walk([data], [""], WALK)


def _walks() -> list[bytes]:
    frame = np.zeros((24, 16), np.uint8)
    frame[4:20, 5:11] = 255
    files = {f"walk/{number:02}.png": _saved(Image.fromarray(frame), "PNG") for number in range(3)}
    return [_zip(files), _zip(files, zipfile.ZIP_DEFLATED)]


def _arrays() -> list[bytes]:
    walk = np.zeros((3, 24, 16), bool)
    walk[:, 4:20, 5:11] = True
    return [_array_file(walk), _array_file(walk.astype(np.float32)), _array_file(np.asfortranarray(walk))]


def _array_file(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _zip(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def _bulk_zips() -> list[bytes]:
    lines = [{"identity_id": f"p-{number}", "file": f"{number}.jpg", "metadata": {"door": 3}} for number in range(3)]
    files = {f"{number}.jpg": _plain_pictures()[0] for number in range(3)}
    manifest = "\n".join(map(json.dumps, lines)).encode()
    return [_zip({"manifest.ndjson": manifest} | files, kind) for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


def _lines() -> bytes:
    with_picture = {"identity_id": "anna", "image": "/9j/4AAQ", "camera": "c1", "taken_at": 1.5, "metadata": {"é": [1]}}
    with_embedding = {"identity_id": "ben", "embedding": [0.6, -0.8e0], "idempotency_key": "k", "quality": None}
    return "\r\n".join(map(json.dumps, [with_picture, with_embedding, {}])).encode() + b"\n\n"


@functools.cache
def _videos() -> list[bytes]:
    kinds = {"clip.avi": "MJPG", "clip.mp4": "mp4v", "clip.mkv": "VP80"}
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in kinds.items():
            writer = cv2.VideoWriter(f"{folder}/{name}", cv2.VideoWriter.fourcc(*codec), 10, (32, 24))
            for level in range(4):
                writer.write(np.full((24, 32, 3), 60 * level, np.uint8))
            writer.release()
        written = [(Path(folder) / name).read_bytes() for name in kinds if (Path(folder) / name).exists()]
    return [video for video in written if video]


def _watch_as_child(data: bytes) -> None:
    """What the child does with a video, in this process."""
    if not is_video(data):
        raise _Refused
    told = io.BytesIO()
    with in_memory(data) as file, contextlib.redirect_stdout(io.TextIOWrapper(told, write_through=True)) as out:
        video_child.main(file.fileno(), CLIP.max_pixels, CLIP.max_frames)
        out.detach()
    last = video_child.HEADER.unpack(told.getvalue()[-video_child.HEADER.size :])[0]
    if last != video_child.END:
        raise _Refused


def _tensors() -> list[bytes]:
    """A header's length, a space, the header, and binary data behind it."""
    values = np.arange(12, dtype=np.float32)
    tensor = {"name": "input", "shape": [2, 2, 3], "datatype": "FP32"}
    as_json = json.dumps({"id": "1", "inputs": [tensor | {"data": values.tolist()}]}).encode()
    binary = {"binary_data_size": values.nbytes}
    head = json.dumps({"inputs": [tensor | {"parameters": binary}], "outputs": [{"name": "output"}]}).encode()
    return [b"%d %s%s" % (len(head), head, values.tobytes()), b"%d %s" % (len(as_json), as_json)]


def _parse_tensors(data: bytes) -> object:
    length, _, body = data.partition(b" ")
    return parse_request(body, length.decode("latin-1"), (2, 3))


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _multipart() -> list[bytes]:
    picture = _plain_pictures()[0]
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
