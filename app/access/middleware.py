"""Asks every request for its key, before anything of its body is read."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.callers import Caller
from app.access.doorway import Doorway
from app.access.gate import InvalidKeyError
from app.access.quotas import QuotaExceededError
from app.errors import QUOTA_EXCEEDED, UNAUTHORIZED, ProblemError, render

OPEN_PATHS = frozenset(
    ["/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready"]
    + [prefix + path for prefix in ("", "/v1") for path in ("/healthz", "/readyz")]
)
"""What anybody may ask, without a key."""
KILOBYTE = 1000


class Access:
    """Finds out who calls, counts the request, and leaves the caller in the scope as "caller".

    Args:
        app: what is guarded.
        doorway: gives the doorway, which is there once the service has started.
    """

    def __init__(self, app: ASGIApp, doorway: Callable[[], Doorway]) -> None:
        self._app, self._doorway = app, doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
            await self._count(caller, scope)
        except InvalidKeyError as error:
            problem = ProblemError(UNAUTHORIZED, str(error), headers={"WWW-Authenticate": "Bearer"})
            await render(problem, Request(scope))(scope, receive, send)
        except QuotaExceededError as error:
            await render(quota_problem(error), Request(scope))(scope, receive, send)
        else:
            scope["caller"] = caller
            await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        doorway, address = self._doorway(), (scope.get("client") or ("",))[0]
        if doorway.gate.is_open:
            return doorway.gate.admit(None, address)
        key = key_in(Headers(scope=scope))
        return await asyncio.get_running_loop().run_in_executor(doorway.threads, doorway.gate.admit, key, address)

    async def _count(self, caller: Caller, scope: Scope) -> None:
        quotas = self._doorway().quotas
        await quotas.spend(caller.name, "requests")
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal():
            await quotas.spend(caller.name, "kilobytes", -(-int(length) // KILOBYTE))


def key_in(headers: Headers) -> str | None:
    """The API key of a request: `Authorization: Bearer …`, or `X-API-Key`."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


def quota_problem(error: QuotaExceededError) -> ProblemError:
    """How a spent quota looks."""
    headers = {"Retry-After": str(error.retry_after)}
    return ProblemError(QUOTA_EXCEEDED, str(error), field=error.what, limit=error.limit, headers=headers)
