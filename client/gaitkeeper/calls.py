"""What each method sends, as data: the synchronous and the asynchronous client share all of it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from gaitkeeper import results

Result = TypeVar("Result")
Picture = str | Path | bytes
"""A path, or the bytes of a picture file."""
Box = tuple[float, float, float, float]
Files = list[tuple[str, tuple[str, bytes, str]]]


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One request.

    Attributes:
        method: of HTTP.
        path: below the server's URL.
        result: what the answer is decoded as; `bytes` is the answer as it is.
        repeatable: sending it twice does no harm.
    """

    method: str
    path: str
    result: type[Result]
    repeatable: bool = True
    params: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    files: Files = field(default_factory=list)
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def embed(pictures: Sequence[Picture]) -> Call[results.Embeddings]:
    """See `Client.embed`."""
    return Call("POST", "/v1/reid/embed", results.Embeddings, files=_parts("image", pictures))


def query(pictures: Sequence[Picture], gallery: str, options: Mapping[str, object]) -> Call[results.QueryAnswer]:
    """See `Client.query`."""
    fields = _fields({"gallery": gallery, **options})
    return Call("POST", "/v1/reid/query", results.QueryAnswer, fields=fields, files=_parts("image", pictures))


def verify(a: Sequence[Picture], b: Sequence[Picture]) -> Call[results.Verification]:
    """See `Client.verify`."""
    files = _parts("image_a", a) + _parts("image_b", b)
    return Call("POST", "/v1/reid/verify", results.Verification, files=files)


def pose(
    pictures: Sequence[Picture], boxes: Sequence[Sequence[Box]] | None, options: Mapping[str, object]
) -> Call[results.Poses]:
    """See `Client.pose`."""
    fields = _fields(options) | ({} if boxes is None else {"boxes": json.dumps([_boxes(one) for one in boxes])})
    return Call("POST", "/v1/pose", results.Poses, fields=fields, files=_parts("image", pictures))


def render_pose(picture: Picture, options: Mapping[str, object]) -> Call[bytes]:
    """See `Client.render_pose`."""
    fields = _fields({"render": True, **options})
    return Call("POST", "/v1/pose", bytes, fields=fields, files=_parts("image", [picture]))


def gait_age(files: Files, options: Mapping[str, object]) -> Call[results.GaitAge]:
    """See `Client.gait_age`."""
    return Call("POST", "/v1/gait/age", results.GaitAge, fields=_fields(options), files=files)


def gait_files(silhouettes: Sequence[Picture] | Picture | None, gei: Picture | None, video: Picture | None) -> Files:
    """The parts of a gait request, of which exactly one kind is given."""
    given = {"silhouettes": silhouettes, "gei": gei, "video": video}
    kinds = [name for name, value in given.items() if value is not None]
    if len(kinds) != 1:
        raise ValueError(f"give one of silhouettes, gei and video, not {' and '.join(kinds) or 'none'}")
    value = given[kinds[0]]
    return _parts(kinds[0], [value] if isinstance(value, str | Path | bytes) else value or [])


def enrol(
    identity: str,
    pictures: Sequence[Picture],
    gallery: str,
    idempotency_key: str | None,
    options: Mapping[str, object],
) -> Call[results.Enrolled]:
    """See `Client.enrol`."""
    return Call(
        "POST",
        f"{_identity_path(gallery, identity)}/shots",
        results.Enrolled,
        fields=_fields(options),
        files=_parts("image", pictures),
        headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
    )


def enrol_batch(lines: Sequence[bytes], gallery: str) -> Call[dict[str, Any]]:
    """Shots of many people, a JSON object each; the same bytes are one shot, so sending them twice does no harm."""
    headers = {"Content-Type": "application/x-ndjson"}
    path = f"{_gallery_path(gallery)}/shots:batch"
    return Call("POST", path, dict[str, Any], content=b"\n".join(lines), headers=headers)


def shots(identity: str, gallery: str) -> Call[results.Shots]:
    """See `Client.shots`."""
    return Call("GET", f"{_identity_path(gallery, identity)}/shots", results.Shots)


def erase(gallery: str, identity: str | None = None, shot: str | None = None) -> Call[results.ErasureReceipt]:
    """See `Client.erase_identity` and its neighbours."""
    path = _gallery_path(gallery) if identity is None else _identity_path(gallery, identity)
    if shot is not None:
        path += f"/shots/{quote(shot, safe='')}"
    # A second attempt would find nothing and say so, though the first one erased.
    return Call("DELETE", path, results.ErasureReceipt, repeatable=False)


def identity_page(gallery: str, cursor: str | None, limit: int) -> Call[results.IdentityPage]:
    """See `Client.identities`."""
    params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    return Call("GET", f"{_gallery_path(gallery)}/identities", results.IdentityPage, params=params)


def create_gallery(
    name: str, label: str | None, metadata: Mapping[str, Any], options: Mapping[str, object]
) -> Call[results.Gallery]:
    """See `Client.create_gallery`."""
    body = {"name": name, "label": label, "metadata": dict(metadata), **options}
    return Call("POST", "/v1/galleries", results.Gallery, repeatable=False, body=body)


def gallery(name: str) -> Call[results.Gallery]:
    """See `Client.gallery`."""
    return Call("GET", _gallery_path(name), results.Gallery)


def galleries() -> Call[list[results.Gallery]]:
    """See `Client.galleries`."""
    return Call("GET", "/v1/galleries", list[results.Gallery])


def models() -> Call[results.Models]:
    """See `Client.models`."""
    return Call("GET", "/v1/models", results.Models)


def _gallery_path(gallery: str) -> str:
    return f"/v1/galleries/{quote(gallery, safe='')}"


def _identity_path(gallery: str, identity: str) -> str:
    return f"{_gallery_path(gallery)}/identities/{quote(identity, safe='')}"


def _fields(options: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(value) for name, value in options.items() if value is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _boxes(boxes: Sequence[Box]) -> list[dict[str, float]]:
    return [dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in boxes]


def _parts(name: str, pictures: Sequence[Picture]) -> Files:
    return [(name, (*_named(picture), "application/octet-stream")) for picture in pictures]


def _named(picture: Picture) -> tuple[str, bytes]:
    if isinstance(picture, bytes):
        return "picture", picture
    path = Path(picture)
    return path.name, path.read_bytes()
