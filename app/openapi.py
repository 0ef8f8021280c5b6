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
TAGS = [
    {"name": "re-identification", "description": "Who is this? Embeddings, queries, and one person or two."},
    {"name": "enrolment", "description": "Shots into galleries; acknowledged is on disk."},
    {"name": "galleries", "description": "Galleries, identities and shots: listing, changing, erasing."},
    {"name": "calibration", "description": "From similarities to probabilities and decisions."},
    {"name": "pose", "description": "How do they stand? Keypoints of people in pictures."},
    {"name": "gait", "description": "How old is their gait? From silhouettes or a video."},
    {"name": "service", "description": "Health, limits, models, metrics."},
    {"name": "open inference protocol", "description": "Prepared tensors, for clients of KServe and Triton."},
]
TERMS: list[dict[str, Any]] = [
    {
        "name": "Priority",
        "in": "header",
        "description": "`bulk` lets everybody else go first.",
        "schema": {"type": "string"},
        "example": "bulk",
    },
    {
        "name": "X-Deadline-Ms",
        "in": "header",
        "description": "After so many milliseconds the answer is worthless; then it is 504.",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 3_600_000},
        "example": 2000,
    },
]
"""Headers with the terms of a request for inference."""


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
        "openapi_extra": {"parameters": TERMS, "requestBody": {"required": True, "content": content}},
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
        "openapi_extra": {"parameters": TERMS, "requestBody": {"required": True, "content": content}},
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
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"const": "input"},
        "shape": _SHAPE | {"description": "[N, …]; the network's metadata has the rest."},
        "datatype": {"enum": ["FP32", "FP16"]},
        "data": {"type": "array", "description": "Numbers, flat or in rows.", "items": {}},
        "parameters": {"type": "object", "description": "`binary_data_size`, where the values follow as binary data."},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "parameters": {"type": "object"},
    },
}
_HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Bytes of the JSON object, where binary data follow it.",
    "schema": {"type": "integer", "minimum": 0},
}
INFER: dict[str, Any] = {
    "responses": TENSORS,
    "openapi_extra": {
        "parameters": [*TERMS, _HEADER_LENGTH],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _REQUEST},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
}
"""Keyword arguments of a route that takes tensors as the protocol has them."""

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
        "openapi_extra": {"parameters": TERMS, "requestBody": {"required": True, "content": content}},
    }


def optional_json(body: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    """Keyword arguments of a route that reads its own JSON, which may be left out."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    # Small classes within the body are written where they are used: FastAPI knows no others.
    for name, definition in inner.items():
        schema = _inlined(schema, f"#/components/schemas/{name}", definition)
    content = {"application/json": {"schema": schema}}
    return {
        "response_model": answer,
        "responses": PROBLEMS,
        "openapi_extra": {"requestBody": {"required": False, "content": content}},
    }


def _inlined(schema: Any, reference: str, definition: dict[str, Any]) -> Any:  # noqa: ANN401  whatever JSON holds
    if isinstance(schema, dict):
        if schema.get("$ref") == reference:
            return definition
        return {key: _inlined(value, reference, definition) for key, value in schema.items()}
    return [_inlined(one, reference, definition) for one in schema] if isinstance(schema, list) else schema


def _lists(files: tuple[str, ...], item: dict[str, str]) -> dict[str, Any]:
    return {name: {"type": "array", "items": item, "minItems": 1} for name in files}


def _object(properties: dict[str, Any], options: type[BaseModel], files: tuple[str, ...]) -> dict[str, Any]:
    # An embedding may stand for the pictures.
    required = [] if "embedding" in options.model_fields else list(files)
    return {"schema": {"type": "object", "properties": properties, "required": required}}
