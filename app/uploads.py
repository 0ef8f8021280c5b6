"""Request bodies to pictures and option fields: multipart, JSON with base64, or one raw picture."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from app.errors import (
    BODY_TOO_LARGE,
    INVALID_FIELD,
    MALFORMED,
    NO_IMAGE,
    TOO_MANY_IMAGES,
    UNSUPPORTED_MEDIA,
    ProblemError,
)
from app.strict_json import MAX_ECHO, DoubledKeyError, JsonError, read_json

MULTIPART = "multipart/form-data"
JSON = "application/json"
RAW_IMAGES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
MAX_FIELDS = 64
MAX_FIELD_BYTES = 1_000_000
SMALL_JSON_BYTES = 65_536
"""So much JSON, such as an embedding, is read sooner than a thread takes it over."""


@dataclass(frozen=True)
class UploadLimits:
    """What one request may carry.

    Attributes:
        max_body_bytes: the whole body, counted while it arrives.
        max_images: pictures, over all fields.
    """

    max_body_bytes: int = 100_000_000
    max_images: int = 64


@dataclass
class Upload:
    """What a request carried.

    Attributes:
        files: encoded pictures by field name, in the order sent.
        fields: every other field; form fields are strings, JSON fields keep their type.
        names: of the files, as far as their client named them; empty otherwise.
        content_type: how all of it came.
    """

    files: dict[str, list[bytes]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    content_type: str = JSON

    @property
    def is_text(self) -> bool:
        """Whether numbers among the fields are text, as in a form and in an address."""
        return self.content_type != JSON

    @property
    def is_raw(self) -> bool:
        """Whether the body was one picture, which no field names."""
        return self.content_type in RAW_IMAGES

    def images(self, name: str = "image", instead: str = "") -> list[bytes]:
        """The pictures of one field; `instead` names another that would do as well.

        Raises:
            ProblemError: there are none.
        """
        if not self.files.get(name):
            other = f", or {instead!r}" if instead else ""
            raise ProblemError(NO_IMAGE, f"send at least one picture in the field {name!r}{other}", field=name)
        return self.files[name]


async def read_upload(request: Request, limits: UploadLimits, image_fields: tuple[str, ...] = ("image",)) -> Upload:
    """Read a request body, refusing it as soon as a limit is passed.

    Args:
        request: its content type decides how the body is read.
        limits: see `UploadLimits`.
        image_fields: fields that carry pictures; the first one takes a raw picture body.

    Raises:
        ProblemError: unknown content type, malformed body, unknown encoding, too many bytes or pictures.
    """
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type == MULTIPART:
        upload = await _read_multipart(request, limits, image_fields)
    elif content_type == JSON:
        body = await read_body(request, limits)
        if len(body) <= SMALL_JSON_BYTES:
            upload = _read_json(body, image_fields)
        else:
            # Base64 of large pictures takes long to read; other requests should not wait for it.
            upload = await asyncio.to_thread(_read_json, body, image_fields)
    elif content_type in RAW_IMAGES:
        upload = Upload({image_fields[0]: [await read_body(request, limits)]}, dict(request.query_params))
    else:
        accepted = ", ".join((MULTIPART, JSON, *RAW_IMAGES))
        raise ProblemError(UNSUPPORTED_MEDIA, f"content type {content_type!r} is not accepted; send {accepted}")
    upload.content_type = content_type
    if sum(map(len, upload.files.values())) > limits.max_images:
        raise _too_many_images(limits, max(upload.files, key=lambda name: len(upload.files[name])))
    return upload


def _too_many_images(limits: UploadLimits, name: str) -> ProblemError:
    name = name[:MAX_ECHO]
    detail = f"{name}: send at most {limits.max_images} images in one request"
    return ProblemError(TOO_MANY_IMAGES, detail, field=name, limit=limits.max_images)


async def _capped(request: Request, limits: UploadLimits) -> AsyncGenerator[bytes, None]:
    received = 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > limits.max_body_bytes:
                detail = f"the body has more than {limits.max_body_bytes} bytes"
                raise ProblemError(BODY_TOO_LARGE, detail, limit=limits.max_body_bytes)
            yield chunk
    except ClientDisconnect:
        raise ProblemError(MALFORMED, "the body ended early") from None


async def read_body(request: Request, limits: UploadLimits) -> bytes:
    """Read a whole body, refusing it as soon as it has too many bytes.

    Raises:
        ProblemError: it has, or it ended early.
    """
    return b"".join([chunk async for chunk in _capped(request, limits)])


class _InMemoryParser(MultiPartParser):
    """Starlette's parser, keeping every part in memory: pictures of people never touch a temporary folder."""

    spool_max_size = 0  # SpooledTemporaryFile's word for "never roll over to disk"
    complete = False

    @property
    def field(self) -> str:
        """Of the part that is being read."""
        return self._current_part.field_name

    def on_end(self) -> None:
        """The closing boundary was there, so nothing was cut off."""
        self.complete = True

    async def parse(self) -> FormData:
        """Read the whole body."""
        try:
            return await super().parse()
        except BaseException:
            # The parser itself does this for its own exceptions alone.
            for file in self._files_to_close_on_error:
                file.close()
            raise


async def _read_multipart(request: Request, limits: UploadLimits, image_fields: tuple[str, ...]) -> Upload:
    parser = _InMemoryParser(
        request.headers,
        _capped(request, limits),
        max_files=limits.max_images,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise _too_many_images(limits, parser.field) from None
        raise ProblemError(MALFORMED, f"the multipart body cannot be read: {error.message}") from None
    except UnicodeDecodeError:
        raise ProblemError(MALFORMED, "the multipart body has text that is not UTF-8") from None
    try:
        if not parser.complete:
            raise ProblemError(MALFORMED, "the multipart body ended early: its closing boundary is missing")
        return await _sorted_parts(form, image_fields)
    finally:
        await form.close()


async def _sorted_parts(form: FormData, image_fields: tuple[str, ...]) -> Upload:
    upload = Upload()
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            if name in image_fields:
                detail = f"{name} came as text; send it as a file (with curl: -F {name}=@picture.jpg)"
                raise ProblemError(INVALID_FIELD, detail, field=name)
            if name in upload.fields:
                raise _came_twice(name)
            upload.fields[name] = value
        elif name in image_fields:
            upload.files.setdefault(name, []).append(await value.read())
            upload.names.setdefault(name, []).append(value.filename or "")
        else:
            raise _unknown_file(name, image_fields)
    return upload


def _came_twice(name: str) -> ProblemError:
    name = name[:MAX_ECHO]
    return ProblemError(INVALID_FIELD, f"the field {name} came more than once", field=name)


def _unknown_file(name: str, image_fields: tuple[str, ...]) -> ProblemError:
    fields = " or ".join(repr(field) for field in image_fields)
    return ProblemError(INVALID_FIELD, f"a file came in the field {name!r}; pictures go into {fields}", field=name)


def _read_json(body: bytes, image_fields: tuple[str, ...]) -> Upload:
    fields = parse_json_object(body)
    files: dict[str, list[bytes]] = {}
    for name in image_fields:
        if name in fields:
            value = fields.pop(name)
            files[name] = [from_base64(text, name) for text in (value if isinstance(value, list) else [value])]
    return Upload(files, fields)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ProblemError: it is not JSON, or not an object, or a key comes twice.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise ProblemError(MALFORMED, "the body must be a JSON object", field="body")
    return value


def parse_json(body: bytes) -> Any:  # noqa: ANN401  whatever was sent
    """Parse JSON; raises ProblemError if it is none, or a key comes twice."""
    try:
        return read_json(body)
    except DoubledKeyError as error:
        where = "the body" if error.within is None else error.within
        raise ProblemError(INVALID_FIELD, f"{where} {error}", field=error.field) from None
    except JsonError as error:
        raise ProblemError(MALFORMED, f"the body {error}", field="body") from None


def from_base64(text: object, name: str) -> bytes:
    """The bytes that base64 stands for, with or without the beginning of a data URL; raises ProblemError."""
    if not isinstance(text, str):
        raise ProblemError(INVALID_FIELD, f"{name} must be base64 text or a list of it", field=name)
    try:
        return base64.b64decode("".join(text.split("base64,")[-1].split()), validate=True)
    except (binascii.Error, ValueError):
        raise ProblemError(INVALID_FIELD, f"{name} is not valid base64", field=name) from None
