"""The service's OpenAPI document as schemathesis reads it, with links between operations, and its odd media types."""

import io
import json
import zipfile
from typing import Any

import httpx
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from schemathesis.transport.serialization import Binary

GALLERY, IDENTITY = "/v1/galleries/{gallery}", "/v1/galleries/{gallery}/identities/{identity}"

EXCLUDED_CHECKS = (
    # A schema cannot say that pictures have to be pictures, or that a calibration needs enough comparisons.
    "positive_data_acceptance",
    # Tried on loopback, where it runs without keys.
    "ignored_auth",
    # …/identities/a:rename is also the address of an identity of that name, which more methods take.
    "allow_header_conformance",
)


def load(url: str, config: SchemathesisConfig) -> BaseSchema:
    """Read the document of a running service."""
    document = httpx.get(f"{url}/openapi.json").raise_for_status().json()
    _link(document)
    _leave_time(document)
    load_all_checks()
    return schemathesis.openapi.from_dict(document, config=config)


@schemathesis.serializer("application/x-ndjson")
def _ndjson(_context: object, value: Any) -> bytes:  # noqa: ANN401  whatever was made of a schema
    return value.data if isinstance(value, Binary) else json.dumps(value).encode() + b"\n"


@schemathesis.serializer("application/zip")
def _zip(_context: object, value: Any) -> bytes:  # noqa: ANN401  the same
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.ndjson", value.data if isinstance(value, Binary) else json.dumps(value))
    return file.getvalue()


def _link(document: dict[str, Any]) -> None:
    """What answers name, other operations are tried on."""
    below_gallery = _operations(document, GALLERY)
    below_identity = _operations(document, IDENTITY)
    gallery, identity = {"gallery": "$response.body#/name"}, {"gallery": "$request.path.gallery"}
    new = document["paths"]["/v1/galleries"]["post"]["responses"]["201"]
    new["links"] = {name: {"operationId": name, "parameters": gallery} for name in below_gallery}
    for address, method, status in ((IDENTITY, "put", "200"), (f"{IDENTITY}/shots", "post", "201")):
        answer = document["paths"][address][method]["responses"][status]
        parameters = identity | {"identity": "$response.body#/identity_id"}
        answer["links"] = {name: {"operationId": name, "parameters": parameters} for name in below_identity}
    models = document["paths"]["/v1/models"]["get"]["responses"]["200"]
    named = {"model": "$response.body#/models/0/name"}
    models["links"] = {
        name: {"operationId": name, "parameters": named} for name in _operations(document, "/v2/models/{model}")
    }


def _leave_time(document: dict[str, Any]) -> None:
    """A deadline that passes is answered as documented, but by a 504, which the campaign takes for a failure."""
    for methods in document["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [parameter for parameter in parameters if parameter["name"] != "X-Deadline-Ms"]


def _operations(document: dict[str, Any], prefix: str) -> list[str]:
    """Ids of the operations below an address that need no more names than it has itself."""
    return [
        operation["operationId"]
        for path, methods in document["paths"].items()
        if path.startswith(prefix) and path.count("{") == prefix.count("{")
        for operation in methods.values()
    ]
