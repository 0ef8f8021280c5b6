"""What routes ask of the caller."""

from typing import Any

from fastapi import Depends, Request

from app.access.callers import Caller, Scope


def caller_of(request: Request) -> Caller:
    """Who sent the request."""
    caller: Caller = request.scope["caller"]
    return caller


def needs(scope: Scope) -> Any:  # noqa: ANN401  fastapi.Depends is typed so
    """A dependency: the caller has the scope, in the gallery of the path if there is one there."""

    async def check(request: Request) -> None:
        caller_of(request).require(scope, request.path_params.get("gallery"))

    return Depends(check)
