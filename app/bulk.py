"""Bodies that carry many enrolments: NDJSON with base64, or a zip file of pictures with a manifest."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.errors import (
    BODY_TOO_LARGE,
    IMAGE_TOO_LARGE,
    INVALID_FIELD,
    MALFORMED,
    NO_IMAGE,
    TOO_MANY_IMAGES,
    UNSUPPORTED_MEDIA,
    ProblemError,
)
from app.uploads import from_base64, parse_json_object

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
ZIP = ("application/zip", "application/x-zip-compressed")
MANIFEST = "manifest.ndjson"


@dataclass(frozen=True)
class BulkLimits:
    """What one bulk request may carry.

    Attributes:
        max_items: lines.
        max_image_bytes: of one picture.
        max_bytes: of all pictures together, unpacked.
    """

    max_items: int
    max_image_bytes: int
    max_bytes: int


@dataclass(frozen=True)
class Line:
    """One enrolment as it was sent: its fields, and its picture if it has one."""

    fields: dict[str, Any]
    picture: bytes | None


def read_bulk(content_type: str, body: bytes, limits: BulkLimits) -> list[Line | ProblemError]:
    """Split a bulk body into its items; slow, so not for the event loop. A bad item fails alone.

    Raises:
        ProblemError: unknown content type, not a zip file, no manifest, or too much in it.
    """
    if content_type in NDJSON:
        return [_one(line, None, limits) for line in _lines(body, limits)]
    if content_type not in ZIP:
        accepted = f"{NDJSON[0]}, or {ZIP[0]} with a {MANIFEST}"
        raise ProblemError(UNSUPPORTED_MEDIA, f"content type {content_type!r} is not accepted; send {accepted}")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(info.file_size for info in archive.infolist()) > limits.max_bytes:
                detail = f"the zip file unpacks to more than {limits.max_bytes} bytes"
                raise ProblemError(BODY_TOO_LARGE, detail, limit=limits.max_bytes)
            if MANIFEST not in archive.namelist():
                raise ProblemError(MALFORMED, f"the zip file has no {MANIFEST}")
            return [_one(line, archive, limits) for line in _lines(_member(archive, MANIFEST), limits)]
    # A file of a later version of the format is a RuntimeError.
    except (zipfile.BadZipFile, RuntimeError, ValueError, OSError) as error:
        raise ProblemError(MALFORMED, f"the zip file cannot be read: {error}") from None


def _lines(text: bytes, limits: BulkLimits) -> Iterator[bytes]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ProblemError(NO_IMAGE, "there is nothing to enrol; send a line for each shot")
    if len(lines) > limits.max_items:
        detail = f"send at most {limits.max_items} items in one request; there are {len(lines)}"
        raise ProblemError(TOO_MANY_IMAGES, detail, limit=limits.max_items)
    return iter(lines)


def _one(line: bytes, archive: zipfile.ZipFile | None, limits: BulkLimits) -> Line | ProblemError:
    try:
        fields = parse_json_object(line)
        if archive is not None and "file" in fields:
            return Line(fields, _picture(archive, fields.pop("file"), limits))
        image = fields.pop("image", None)
        return Line(fields, None if image is None else from_base64(image, "image"))
    except ProblemError as problem:
        return problem


def _picture(archive: zipfile.ZipFile, name: object, limits: BulkLimits) -> bytes:
    if not isinstance(name, str) or name not in archive.namelist():
        raise ProblemError(INVALID_FIELD, "file names no picture of the zip file", field="file")
    if archive.getinfo(name).file_size > limits.max_image_bytes:
        detail = f"file unpacks to more than {limits.max_image_bytes} bytes"
        raise ProblemError(IMAGE_TOO_LARGE, detail, field="file", limit=limits.max_image_bytes)
    return _member(archive, name)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    # A member that is encrypted, or compressed in a way not known here, is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ProblemError(MALFORMED, f"a member of the zip file cannot be read: {error}", field="file") from None
