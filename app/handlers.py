"""Exceptions to responses: the one place where an error meets HTTP."""

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import errors
from app.engine.batcher import OverloadedError
from app.errors import ProblemError, render
from app.gallery import errors as gallery
from app.gallery.errors import GalleryError
from app.routers.deps import invalid_field

log = logging.getLogger("gaitkeeper")

GALLERY_KINDS: dict[type[gallery.GalleryError], tuple[errors.ProblemKind, str | None]] = {
    gallery.UnknownGallery: (errors.UNKNOWN_GALLERY, "gallery"),
    gallery.UnknownIdentity: (errors.UNKNOWN_IDENTITY, "identity"),
    gallery.UnknownShot: (errors.UNKNOWN_SHOT, "shot"),
    gallery.GalleryExists: (errors.CONFLICT, "name"),
    gallery.CheckpointMismatch: (errors.CHECKPOINT_MISMATCH, "gallery"),
    gallery.DimensionMismatch: (errors.INVALID_FIELD, "embedding"),
    gallery.InvalidEmbedding: (errors.INVALID_FIELD, "embedding"),
    gallery.InvalidMetadata: (errors.INVALID_FIELD, "metadata"),
    gallery.IdempotencyConflict: (errors.IDEMPOTENCY_CONFLICT, "Idempotency-Key"),
    gallery.DamagedShot: (errors.DAMAGED, None),
    gallery.StorageFailure: (errors.STORAGE, None),
}


def install_handlers(app: FastAPI) -> None:
    """Render every exception as problem+json."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(GalleryError, _gallery)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return render(error, request)


async def _gallery(request: Request, error: Exception) -> Response:
    assert isinstance(error, GalleryError)
    kind, field = GALLERY_KINDS[type(error)]
    return render(ProblemError(kind, str(error), field=field), request)


async def _overloaded(request: Request, error: Exception) -> Response:
    assert isinstance(error, OverloadedError)
    detail = f"{error.limit} images are waiting already; try again in a second"
    problem = ProblemError(errors.OVERLOADED, detail, limit=error.limit, headers={"Retry-After": "1"})
    return render(problem, request)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    findings = error.errors()
    if findings[0]["type"] == "json_invalid":
        return render(ProblemError(errors.MALFORMED, f"the body is not JSON: {findings[0]['ctx']['error']}"), request)
    return render(invalid_field(findings), request)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = errors.METHOD_NOT_ALLOWED if error.status_code == 405 else errors.NOT_FOUND
    if error.status_code not in (404, 405):
        kind = errors.MALFORMED
    return render(ProblemError(kind, str(error.detail), headers=error.headers), request)


async def _internal(request: Request, error: Exception) -> Response:
    log.error("request %s failed", request.scope.get("request_id"), exc_info=error)
    return render(ProblemError(errors.INTERNAL, "the service failed; its log has the request id"), request)
