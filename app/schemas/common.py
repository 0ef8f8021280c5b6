"""What several answers share: names, metadata, problems, statuses of items, timings."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from app.gallery.names import NAME, NAME_RULE, is_name
from app.pipelines.reid import Embedded, Timings
from app.strict_json import JsonError, read_json


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"must be {NAME_RULE}")
    return text


# A pattern of pydantic's would be told to clients as it is.
Name = Annotated[
    str,
    AfterValidator(_named),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"}),
    Field(description=f"{NAME_RULE}."),
]


MAX_METADATA_BYTES = 16_384


MAX_METADATA_DEPTH = 16


def from_text(form: str) -> BeforeValidator:
    """Form fields are text; those that hold a list or an object are JSON of this form."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return read_json(value)
        except JsonError as error:
            raise ValueError(f"must be {form}; it {error}") from None

    return BeforeValidator(read)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number, which JSON may write as 3.0."""


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if _depth(metadata) > MAX_METADATA_DEPTH:
        raise ValueError(f"is nested more than {MAX_METADATA_DEPTH} deep")
    try:
        size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise ValueError("holds a number or a character that JSON cannot carry") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; at most {MAX_METADATA_BYTES} are kept")
    return metadata


def _depth(value: object) -> int:
    """How deep lists and objects are nested; counted level by level, because recursion could be exhausted."""
    depth, level = 0, [value]
    while level:
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth


Metadata = Annotated[dict[str, Any], from_text('a JSON object, for example {"door": 3}'), AfterValidator(_bounded)]


class Problem(BaseModel):
    """application/problem+json (RFC 9457)."""

    type: str = Field(examples=["/problems/image-too-large"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    field: str | None = None
    limit: float | None = None
    reasons: list[str] | None = None


class ItemStatus(BaseModel):
    """What became of one picture of a request."""

    index: int
    status: Literal["ok", "error"]
    problem: Problem | None = None


class TimingsMs(BaseModel):
    """Where the time went, in milliseconds."""

    prepare: float
    queue: float
    forward: float
    search: float
    total: float

    @classmethod
    def of(cls, timings: Timings) -> "TimingsMs":
        """Round to a microsecond."""
        return cls(**{name: round(value, 3) for name, value in vars(timings).items()})


def item_statuses(embedded: Embedded, problem_bodies: list[dict[str, Any] | None]) -> list[ItemStatus]:
    """Per-picture statuses; `problem_bodies` has None where a picture worked."""
    return [
        ItemStatus(index=index, status="ok" if body is None else "error", problem=Problem(**body) if body else None)
        for index, (_, body) in enumerate(zip(embedded.items, problem_bodies, strict=True))
    ]
