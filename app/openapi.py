"""The parts of the OpenAPI document that FastAPI cannot see: uploads in three encodings, and problems."""

from typing import Any

from pydantic import BaseModel

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
        "multipart/form-data": _object(
            {name: {"type": "array", "items": picture} for name in files} | properties, options, files
        ),
        "application/json": _object(
            {name: {"type": "array", "items": encoded} for name in files} | properties, options, files
        ),
        "image/jpeg": {"schema": picture},
        "image/png": {"schema": picture},
    }
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
    parts = {name: {"type": "array", "items": {"type": "string", "format": "binary"}} for name in files}
    encoded = {name: {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}} for name in files}
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


def _object(properties: dict[str, Any], options: type[BaseModel], files: tuple[str, ...]) -> dict[str, Any]:
    # An embedding may stand for the pictures.
    required = [] if "embedding" in options.model_fields else list(files)
    return {"schema": {"type": "object", "properties": properties, "required": required}}
