"""Asks every request for its key, before anything of its body is read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.callers import Caller
from app.access.gate import Gate, InvalidKeyError
from app.access.quotas import QuotaExceededError, Quotas
from app.errors import QUOTA_EXCEEDED, UNAUTHORIZED, ProblemError, render

OPEN_PATHS = frozenset(
    prefix + path for prefix in ("", "/v1", "/v2/health") for path in ("/healthz", "/readyz", "/live", "/ready")
) | {"/docs", "/openapi.json"}
KILOBYTE = 1000


class Access:
    """Finds out who calls, counts the request, and leaves the caller in the scope as "caller".

    Args:
        app: what is guarded.
        gate: looks at keys.
        quotas: of callers.
        threads: where keys are hashed for the first time; few, so that wrong keys cannot take the cores.
    """

    def __init__(
        self, app: ASGIApp, gate: Callable[[], Gate], quotas: Callable[[], Quotas], threads: Callable[[], Executor]
    ) -> None:
        self._app, self._gate, self._quotas, self._threads = app, gate, quotas, threads

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
        gate, address = self._gate(), (scope.get("client") or ("",))[0]
        if gate.is_open:
            return gate.admit(None, address)
        key = key_in(Headers(scope=scope))
        return await asyncio.get_running_loop().run_in_executor(self._threads(), gate.admit, key, address)

    async def _count(self, caller: Caller, scope: Scope) -> None:
        await self._quotas().spend(caller.name, "requests")
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal():
            await self._quotas().spend(caller.name, "kilobytes", -(-int(length) // KILOBYTE))


def key_in(headers: Headers) -> str | None:
    """The API key of a request: `Authorization: Bearer …`, or `X-API-Key`."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


def quota_problem(error: QuotaExceededError) -> ProblemError:
    """How a spent quota looks."""
    headers = {"Retry-After": str(error.retry_after)}
    return ProblemError(QUOTA_EXCEEDED, str(error), field=error.what, limit=error.limit, headers=headers)
