"""What can go wrong, and how each case looks as problem+json (RFC 9457).

Only this file knows status codes. `type` never changes once released; `detail` tells the client what to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class ProblemKind:
    """One kind of problem: its permanent name, its status and a title that is the same every time."""

    slug: str
    status: HTTPStatus
    title: str


MALFORMED = ProblemKind("malformed-request", HTTPStatus.BAD_REQUEST, "The request cannot be read")
INVALID_FIELD = ProblemKind("invalid-field", HTTPStatus.UNPROCESSABLE_ENTITY, "A field has an unusable value")
NO_IMAGE = ProblemKind("no-image", HTTPStatus.UNPROCESSABLE_ENTITY, "No image was sent")
UNDECODABLE = ProblemKind("undecodable-image", HTTPStatus.UNPROCESSABLE_ENTITY, "The image cannot be decoded")
IMAGE_TOO_LARGE = ProblemKind("image-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The image exceeds a limit")
IMAGE_TOO_SMALL = ProblemKind("image-too-small", HTTPStatus.UNPROCESSABLE_ENTITY, "The image is too small")
TOO_MANY_IMAGES = ProblemKind("too-many-images", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too many images")
BODY_TOO_LARGE = ProblemKind("body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request body is too large")
BODY_TOO_SLOW = ProblemKind("body-too-slow", HTTPStatus.REQUEST_TIMEOUT, "The request body came too slowly")
HEAD_TOO_SLOW = ProblemKind("head-too-slow", HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly")
HEAD_TOO_LARGE = ProblemKind(
    "head-too-large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are too large"
)
UNSUPPORTED_MEDIA = ProblemKind(
    "unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type is not accepted"
)
NOT_FOUND = ProblemKind("not-found", HTTPStatus.NOT_FOUND, "There is nothing at this address")
METHOD_NOT_ALLOWED = ProblemKind("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "Not with this method")
UNKNOWN_GALLERY = ProblemKind("unknown-gallery", HTTPStatus.NOT_FOUND, "There is no such gallery")
UNKNOWN_IDENTITY = ProblemKind("unknown-identity", HTTPStatus.NOT_FOUND, "There is no such identity")
UNKNOWN_SHOT = ProblemKind("unknown-shot", HTTPStatus.NOT_FOUND, "There is no such shot")
UNKNOWN_MODEL = ProblemKind("unknown-model", HTTPStatus.NOT_FOUND, "There is no such model")
INVALID_BOX = ProblemKind("invalid-box", HTTPStatus.UNPROCESSABLE_ENTITY, "A box cannot be used")
LOW_QUALITY_CROP = ProblemKind(
    "low-quality-crop", HTTPStatus.UNPROCESSABLE_ENTITY, "The crop shows too little of a person"
)
NO_SILHOUETTE = ProblemKind("no-silhouette", HTTPStatus.UNPROCESSABLE_ENTITY, "No silhouette can be used")
TOO_FEW_FRAMES = ProblemKind("too-few-frames", HTTPStatus.UNPROCESSABLE_ENTITY, "There are too few frames")
UNDECODABLE_VIDEO = ProblemKind("undecodable-video", HTTPStatus.UNPROCESSABLE_ENTITY, "The video cannot be decoded")
VIDEO_TOO_LONG = ProblemKind("video-too-long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The video exceeds a limit")
CONFLICT = ProblemKind("already-exists", HTTPStatus.CONFLICT, "It exists already")
CHECKPOINT_MISMATCH = ProblemKind(
    "checkpoint-mismatch", HTTPStatus.CONFLICT, "The gallery belongs to another checkpoint"
)
PROTECTED = ProblemKind("protected", HTTPStatus.CONFLICT, "This cannot be removed")
IDEMPOTENCY_CONFLICT = ProblemKind(
    "idempotency-conflict", HTTPStatus.UNPROCESSABLE_ENTITY, "The idempotency key was used for something else"
)
IDEMPOTENCY_KEY_SPENT = ProblemKind(
    "idempotency-key-spent", HTTPStatus.CONFLICT, "What the idempotency key enrolled is gone"
)
NOT_CALIBRATED = ProblemKind("not-calibrated", HTTPStatus.UNPROCESSABLE_ENTITY, "There is no calibration to decide by")
TOO_FEW_COMPARISONS = ProblemKind(
    "too-few-comparisons", HTTPStatus.UNPROCESSABLE_ENTITY, "There is too little to fit a calibration on"
)
INDISTINCT_PEOPLE = ProblemKind(
    "indistinct-people", HTTPStatus.UNPROCESSABLE_ENTITY, "One person is no more similar than two"
)
VERSION_NOT_REACHED = ProblemKind(
    "version-not-reached", HTTPStatus.SERVICE_UNAVAILABLE, "The gallery has not reached that version"
)
DAMAGED = ProblemKind("damaged-record", HTTPStatus.INTERNAL_SERVER_ERROR, "A stored record is damaged")
UNAUTHORIZED = ProblemKind("unauthorized", HTTPStatus.UNAUTHORIZED, "A valid API key is needed")
FORBIDDEN = ProblemKind("forbidden", HTTPStatus.FORBIDDEN, "The API key does not allow this")
QUOTA_EXCEEDED = ProblemKind("quota-exceeded", HTTPStatus.TOO_MANY_REQUESTS, "A quota is used up")
STORAGE = ProblemKind("storage-failure", HTTPStatus.SERVICE_UNAVAILABLE, "The records cannot be read or written")
OVERLOADED = ProblemKind("overloaded", HTTPStatus.SERVICE_UNAVAILABLE, "The service is busy")
TOO_MANY_REQUESTS = ProblemKind("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "This client sends too much")
DEADLINE_PASSED = ProblemKind("deadline-passed", HTTPStatus.GATEWAY_TIMEOUT, "The request's deadline has passed")
MACHINE_FAILURE = ProblemKind("machine-failure", HTTPStatus.SERVICE_UNAVAILABLE, "The network could not run")
NOT_READY = ProblemKind("not-ready", HTTPStatus.SERVICE_UNAVAILABLE, "The service is not ready")
INTERNAL = ProblemKind("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed")


class ProblemError(Exception):
    """A request, or one item of it, that gets a problem for an answer.

    Args:
        kind: which one.
        detail: what is wrong with *this* request, naming the field and the limit.
        field: the request field at fault.
        limit: the limit that was exceeded.
        headers: response headers, such as Retry-After.
        reasons: codes of what is wrong, where there can be several.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        field: str | None = None,
        limit: int | float | None = None,
        headers: Mapping[str, str] | None = None,
        reasons: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.field, self.limit = kind, detail, field, limit
        self.headers, self.reasons = dict(headers or {}), tuple(reasons)

    def body(self, request: Request) -> dict[str, Any]:
        """The problem as a JSON object."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.kind.slug}",
            "title": self.kind.title,
            "status": int(self.kind.status),
            "detail": self.detail,
            "instance": request.url.path,
            "request_id": request.scope.get("request_id", ""),
        }
        if self.field is not None:
            body["field"] = self.field
        if self.limit is not None:
            body["limit"] = self.limit
        if self.reasons:
            body["reasons"] = self.reasons
        if request.url.path.startswith("/v2/"):
            body["error"] = self.detail  # where clients of the Open Inference Protocol look
        return body


def render(problem: ProblemError, request: Request) -> Response:
    """The response that tells a client of a problem."""
    return Response(
        orjson.dumps(problem.body(request)),
        status_code=int(problem.kind.status),
        headers=problem.headers,
        media_type="application/problem+json",
    )
