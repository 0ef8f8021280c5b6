"""What routes ask of their callers."""

from typing import Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from app.access.callers import Caller, Scope
from app.access.middleware import OPEN_PATHS
from app.gallery.audit import set_actor

KEYS = (
    Depends(HTTPBearer(scheme_name="bearer", auto_error=False, description="An API key.")),
    Depends(APIKeyHeader(name="X-API-Key", scheme_name="header", auto_error=False, description="The same.")),
)
"""Dependencies that say in the OpenAPI document how a key is sent; `app.access.middleware` looks at it."""


def caller_of(request: Request) -> Caller:
    """Who sent the request."""
    caller: Caller = request.scope["caller"]
    return caller


def needs(scope: Scope) -> Any:  # noqa: ANN401  fastapi.Depends is typed so
    """A dependency: the caller has the scope, in the gallery of the path if there is one there."""

    async def check(request: Request) -> None:
        _require(request, scope)

    return Depends(check)


def needs_by_method() -> Any:  # noqa: ANN401  the same
    """A dependency for whatever lies below /galleries: reading, adding and erasing are scopes of their own.

    Making a gallery is for `admin`: a key is bound to galleries that are there.
    """

    async def check(request: Request) -> None:
        _require(request, _scope_below_galleries(request))

    return Depends(check)


def _scope_below_galleries(request: Request) -> Scope:
    if request.method in ("GET", "HEAD"):
        return Scope.QUERY
    if request.method == "DELETE":
        return Scope.ERASE
    return Scope.ENROLL if "gallery" in request.path_params else Scope.ADMIN


def _require(request: Request, scope: Scope) -> None:
    if request.scope["path"] in OPEN_PATHS:
        return
    caller = caller_of(request)
    caller.require(scope, request.path_params.get("gallery"))
    set_actor(caller.name)
