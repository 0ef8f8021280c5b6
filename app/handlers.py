"""Exceptions to responses: the one place where an error meets HTTP."""

import logging
import math
from http import HTTPStatus

import torch
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import errors
from app.access.callers import ForbiddenError, HiddenGalleryError
from app.access.middleware import quota_problem
from app.access.quotas import QuotaExceededError
from app.edge.bodies import BodyError
from app.edge.methods import allowed_methods
from app.engine.refusals import ClosedError, DeadlineError, MachineError, OverloadedError, Reason
from app.errors import ProblemError, render
from app.gallery.errors import GalleryError
from app.pipelines.problems import gallery_problem
from app.routers.admission import DEADLINE
from app.routers.deps import invalid_field

log = logging.getLogger("gaitkeeper")

OVERLOAD_DETAILS: dict[Reason, str] = {
    "count": "{:g} items are waiting already",
    "client": "{:g} items of this client are waiting already",
    "bytes": "{:g} bytes of requests are waiting already",
    "age": "it would wait longer than {:.3g} s for its turn",
}


def install_handlers(app: FastAPI) -> None:
    """Render every exception as problem+json; those that are not foreseen are left to `app.edge.failures`."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(GalleryError, _gallery)
    app.add_exception_handler(ForbiddenError, _forbidden)
    app.add_exception_handler(HiddenGalleryError, _hidden)
    app.add_exception_handler(QuotaExceededError, _quota)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(DeadlineError, _late)
    app.add_exception_handler(ClosedError, _closing)
    app.add_exception_handler(MachineError, _machine)
    app.add_exception_handler(torch.OutOfMemoryError, _machine)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BodyError, _body)
    app.add_exception_handler(HTTPException, _http)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return render(error, request)


async def _gallery(request: Request, error: Exception) -> Response:
    assert isinstance(error, GalleryError)
    return render(gallery_problem(error), request)


async def _forbidden(request: Request, error: Exception) -> Response:
    return render(ProblemError(errors.FORBIDDEN, str(error)), request)


async def _hidden(request: Request, error: Exception) -> Response:
    return render(ProblemError(errors.UNKNOWN_GALLERY, str(error), field="gallery"), request)


async def _quota(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuotaExceededError)
    return render(quota_problem(error), request)


async def _overloaded(request: Request, error: Exception) -> Response:
    assert isinstance(error, OverloadedError)
    return refusal(request, error)


def refusal(request: Request, error: OverloadedError) -> Response:
    """The response to a request for which there is no room."""
    seconds = math.ceil(error.retry_after)
    kind = errors.TOO_MANY_REQUESTS if error.reason == "client" else errors.OVERLOADED
    detail = f"{OVERLOAD_DETAILS[error.reason].format(error.limit)}; try again in {seconds} s"
    return render(ProblemError(kind, detail, limit=error.limit, headers={"Retry-After": str(seconds)}), request)


async def _late(request: Request, error: Exception) -> Response:
    detail = f"the deadline of the header {DEADLINE} passed before the answer was there; allow more time, or send less"
    return render(ProblemError(errors.DEADLINE_PASSED, detail, field=DEADLINE), request)


async def _closing(request: Request, error: Exception) -> Response:
    return render(ProblemError(errors.NOT_READY, "the service is closing", headers={"Retry-After": "10"}), request)


async def _machine(request: Request, error: Exception) -> Response:
    log.error("request %s failed with the machine", request.scope.get("request_id"), exc_info=error)
    detail = "the network could not run just now; try again, with fewer pictures if that fails too"
    return render(ProblemError(errors.MACHINE_FAILURE, detail, headers={"Retry-After": "5"}), request)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    findings = error.errors()
    if findings[0]["type"] == "json_invalid":
        return render(ProblemError(errors.MALFORMED, f"the body is not JSON: {findings[0]['ctx']['error']}"), request)
    return render(invalid_field(findings), request)


async def _body(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyError)
    return render(error.problem, request)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _not_so(request)
    kind = errors.NOT_FOUND if error.status_code == 404 else errors.MALFORMED
    return render(ProblemError(kind, str(error.detail), headers=error.headers), request)


def _not_so(request: Request) -> Response:
    headers = {"Allow": allowed_methods(request.app.router.routes, request.scope)}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    detail = f"{request.method} is not for this address; it takes {headers['Allow']}"
    return render(ProblemError(errors.METHOD_NOT_ALLOWED, detail, headers=headers), request)
