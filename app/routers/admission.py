"""Lets requests in: on which terms, into how much room, and out again when they end or their client leaves."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.engine.admission import Place
from app.engine.refusals import OverloadedError
from app.engine.terms import ANYBODY, Terms, current_terms, set_terms
from app.errors import INVALID_FIELD, ProblemError

DEADLINE = "X-Deadline-Ms"
MAX_DEADLINE_MS = 3_600_000
INFERENCE = frozenset(
    prefix + path
    for prefix in ("", "/v1")
    for path in ("/reid/embed", "/reid/query", "/reid/verify", "/pose", "/gait/age")
)
"""Where most requests for inference go; others are refused a little later, by `let_in`."""


@dataclass
class Stay:
    """One request inside: its place, and who watches whether its client is still there."""

    place: Place
    watcher: asyncio.Task[None] | None = None
    abandoned: bool = False


class Overflow:
    """Turns requests for inference away before anything else is done for them, while there is no room for anybody.

    Under overload nearly all are, and what that costs is taken from those who are served.

    Args:
        app: what serves the others.
        refuse: the response to one that is turned away.
    """

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, OverloadedError], Response]) -> None:
        self._app, self._refuse = app, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in INFERENCE:
            admission = scope["app"].state.runtime.operations.admission
            try:
                admission.check(ANYBODY, 1, 0, Place(admission, ANYBODY.caller))
            except OverloadedError as error:
                await self._refuse(Request(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Stays:
    """Ends the stay of every request that was let in, whatever became of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            task, stay = asyncio.current_task(), scope.get("stay")
            # Its own watcher ended it: nobody is there to be answered.
            if task is None or stay is None or not stay.abandoned or task.uncancel():
                raise
        finally:
            if (stay := scope.get("stay")) is not None:
                stay.place.leave()
                if stay.watcher is not None:
                    stay.watcher.cancel()


def let_in(request: Request) -> None:
    """Let a request for inference in, before its body is read; the rest of its task runs on its terms.

    Raises:
        OverloadedError: there is no room.
        ProblemError: a header is unusable.
    """
    runtime = request.app.state.runtime
    terms = terms_of(request)
    set_terms(terms)
    length = request.headers.get("content-length", "")
    # A body that does not say how long it is may be as long as is allowed.
    size = min(int(length), runtime.settings.max_body_bytes) if length.isdigit() else runtime.settings.max_body_bytes
    request.scope["stay"] = Stay(runtime.operations.admission.enter(terms, size))


def carries(request: Request, items: int) -> None:
    """Say how many items a request that was let in turned out to carry, once its body is read.

    Many items make it bulk work. From here on it ends when its client leaves.

    Raises:
        OverloadedError: there is no room for so many.
    """
    stay: Stay = request.scope["stay"]
    terms = current_terms()
    if items > request.app.state.runtime.settings.interactive_items:
        terms = replace(terms, bulk=True)
        set_terms(terms)
    stay.place.hold(terms, max(items, 1), stay.place.size)
    task = asyncio.current_task()
    if task is not None:
        stay.watcher = asyncio.create_task(_end_when_abandoned(request.receive, stay, task))


def terms_of(request: Request) -> Terms:
    """A request's terms: whose it is, whether others go first (`Priority: bulk`), and its deadline (`X-Deadline-Ms`).

    Raises:
        ProblemError: the deadline is no number of milliseconds.
    """
    caller = request.scope["caller"].name
    # Other values are those of RFC 9218, which browsers send.
    bulk = request.headers.get("priority", "").strip().lower() == "bulk"
    return Terms(caller, bulk, _deadline(request.headers.get(DEADLINE)))


def _deadline(text: str | None) -> float:
    if text is None:
        return math.inf
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = math.nan
    if not 0 < milliseconds <= MAX_DEADLINE_MS:
        detail = f"{DEADLINE} must be a number of milliseconds from now, more than 0 and at most {MAX_DEADLINE_MS}"
        raise ProblemError(INVALID_FIELD, detail, field=DEADLINE, limit=MAX_DEADLINE_MS)
    return time.monotonic() + milliseconds / 1000


async def _end_when_abandoned(receive: Receive, stay: Stay, task: "asyncio.Task[object]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stay.abandoned = True
    task.cancel()
