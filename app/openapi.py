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
    options: type[BaseModel], answer: type[BaseModel], files: tuple[str, ...], status: int = 200
) -> dict[str, Any]:
    """Keyword arguments of a route that reads its own body: pictures in `files`, and the fields of `options`."""
    schema = options.model_json_schema()
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
    return {
        "response_model": answer,
        "status_code": status,
        "responses": PROBLEMS,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def _object(properties: dict[str, Any], options: type[BaseModel], files: tuple[str, ...]) -> dict[str, Any]:
    # An embedding may stand for the pictures.
    required = [] if "embedding" in options.model_fields else list(files)
    return {"schema": {"type": "object", "properties": properties, "required": required}}
