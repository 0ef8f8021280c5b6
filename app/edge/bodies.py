"""Request bodies: how long they may be and how slowly they may come, whoever reads them."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BODY_TOO_LARGE, BODY_TOO_SLOW, ProblemError, render

SLOWEST_BYTES_PER_SECOND = 1000
"""A body may take a second longer for each so many bytes of it."""
SMALL_BODY_BYTES = 2_000_000
"""Of bodies that carry no pictures, tensors or lists of pairs; the longest lists of shot ids need as much."""
LARGE_BODIES = frozenset(["embed", "query", "verify", "pose", "age", "shots", "shots:batch", "infer", "calibration"])
"""Last segments of the addresses that take large ones."""


class BodyError(HTTPException):
    """A body that is refused while it is read.

    Frameworks turn most exceptions met while they read a body into a 400 of their own; these they let through.

    Attributes:
        problem: what the client is told.
    """

    def __init__(self, problem: ProblemError) -> None:
        super().__init__(int(problem.kind.status), problem.detail)
        self.problem = problem


class Bodies:
    """Refuses bodies that are too long, by their declared length before a byte is read, or that come too slowly.

    Args:
        app: what reads them.
        max_bytes: of a body with pictures.
        patience_seconds: how long a body may keep its reader waiting, beside the time for its length.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, patience_seconds: float) -> None:
        self._app, self._max_bytes, self._patience_seconds = app, max_bytes, patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, limit = Headers(scope=scope), self._limit_of(scope["path"])
        body = _Body(receive, limit, self._patience_seconds)

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.asked_for and "expect" in headers:
                # Whether the client still sends what nobody asked for cannot be known.
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            await render(_too_large(limit), Request(scope))(scope, receive, send_closing)
        else:
            await self._app(scope, body.receive, send_closing)

    def _limit_of(self, path: str) -> int:
        is_large = path.rpartition("/")[2] in LARGE_BODIES
        return self._max_bytes if is_large else min(SMALL_BODY_BYTES, self._max_bytes)


class _Body:
    """One body as it arrives; only time spent waiting for the client counts."""

    def __init__(self, receive: Receive, limit: int, patience_seconds: float) -> None:
        self._receive, self._limit, self._patience = receive, limit, patience_seconds
        self._bytes, self._waited, self._complete = 0, 0.0, False
        self.asked_for = False

    async def receive(self) -> Message:
        self.asked_for = True
        if self._complete:
            return await self._receive()
        message = await self._next()
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._bytes > self._limit:
            raise BodyError(_too_large(self._limit))
        return message

    async def _next(self) -> Message:
        started = time.monotonic()
        allowed = self._patience + self._bytes / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(allowed - self._waited):
                return await self._receive()
        except TimeoutError:
            detail = f"only {self._bytes} bytes of the body came within {allowed:.0f} s"
            raise BodyError(ProblemError(BODY_TOO_SLOW, detail, headers={"Connection": "close"})) from None
        finally:
            self._waited += time.monotonic() - started


def _too_large(limit: int) -> ProblemError:
    return ProblemError(BODY_TOO_LARGE, f"the body has more than {limit} bytes", limit=limit)
