"""What every answer carries, whichever route made it."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Answers:
    """Adds headers that keep answers out of caches and from being taken for what they are not, and answers HEAD as GET.

    While the service is leaving, every answer asks its client to connect anew, which balancers do elsewhere.

    Args:
        app: what answers.
        is_leaving: whether the service was told to end.
    """

    def __init__(self, app: ASGIApp, is_leaving: Callable[[], bool]) -> None:
        self._app, self._is_leaving = app, is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                if self._is_leaving():
                    headers["Connection"] = "close"
            await send(message)

        # The server leaves out the body of what was asked for by HEAD.
        asked = dict(scope, method="GET") if scope["method"] == "HEAD" else scope
        await self._app(asked, receive, send_safely)
