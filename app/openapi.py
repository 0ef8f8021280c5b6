"""The parts of the OpenAPI document that FastAPI cannot see: uploads in three encodings, and problems."""

from typing import Any

from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from app.schemas.common import Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "model": Problem,
        "description": "A problem (RFC 9457): what is wrong, which field, and which limit.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def upload(
    options: type[BaseModel],
    answer: type[BaseModel],
    files: tuple[str, ...],
    status: int = 200,
    picture_type: str = "",
) -> dict[str, Any]:
    """Keyword arguments of a route that reads its own body: pictures in `files`, and the fields of `options`.

    A route that can also answer with a picture says of which type.
    """
    schema = options.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = schema.get("properties", {})
    picture = {"type": "string", "format": "binary"}
    encoded = {"type": "string", "contentEncoding": "base64"}
    content = {
        "multipart/form-data": _object(_lists(files, picture) | properties, options, files),
        "application/json": _object(_lists(files, encoded) | properties, options, files),
    }
    if len(files) == 1:
        content |= {"image/jpeg": {"schema": picture}, "image/png": {"schema": picture}}
    drawn: dict[int | str, dict[str, Any]] = {status: {"content": {picture_type: {"schema": picture}}}}
    return {
        "response_model": answer,
        "status_code": status,
        "responses": (drawn if picture_type else {}) | PROBLEMS,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def gait_upload(
    options: type[BaseModel], answers: tuple[type[BaseModel], type[BaseModel]], files: tuple[str, ...]
) -> dict[str, Any]:
    """Keyword arguments of a route that takes a walk in one of several fields, and answers by what came."""
    properties = options.model_json_schema().get("properties", {})
    parts = _lists(files, {"type": "string", "format": "binary"})
    encoded = _lists(files, {"type": "string", "contentEncoding": "base64"})
    content = {
        "multipart/form-data": {"schema": {"type": "object", "properties": parts | properties}},
        "application/json": {"schema": {"type": "object", "properties": encoded | properties}},
        "image/png": {"schema": {"type": "string", "format": "binary"}},
    }
    return {
        "response_model": answers[0] | answers[1],
        "responses": PROBLEMS,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


TENSORS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}
"""Answers of the Open Inference Protocol: JSON, or JSON with binary data behind it."""

TEXT: dict[str, Any] = {
    "response_class": PlainTextResponse,
    "responses": PROBLEMS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
}
"""Keyword arguments of a route that answers with text."""


def bulk(line: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    """Keyword arguments of a route that takes many lines: NDJSON, or a zip file of pictures with such a manifest."""
    content = {
        "application/x-ndjson": {"schema": line.model_json_schema(ref_template="#/components/schemas/{model}")},
        "application/zip": {"schema": {"type": "string", "format": "binary"}},
    }
    return {
        "response_model": answer,
        "responses": PROBLEMS,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def _lists(files: tuple[str, ...], item: dict[str, str]) -> dict[str, Any]:
    return {name: {"type": "array", "items": item, "minItems": 1} for name in files}


def _object(properties: dict[str, Any], options: type[BaseModel], files: tuple[str, ...]) -> dict[str, Any]:
    # An embedding may stand for the pictures.
    required = [] if "embedding" in options.model_fields else list(files)
    return {"schema": {"type": "object", "properties": properties, "required": required}}
