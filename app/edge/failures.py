"""What nobody foresaw: logged in full, and answered as every other problem is."""

import logging

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import INTERNAL, ProblemError, render

log = logging.getLogger("gaitkeeper")


class Failures:
    """Answers 500 for an exception that no handler took.

    The framework's own handler for those is outside of everything else, so its answers would have no request id and no
    security headers, and would not be counted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if begun:
                raise
            log.error("request %s failed", scope.get("request_id"), exc_info=error)
            problem = ProblemError(INTERNAL, "the service failed; its log has the request id")
            await render(problem, Request(scope))(scope, receive, send)
