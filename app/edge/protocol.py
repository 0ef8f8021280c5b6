"""Connections that nobody can hold on to: uvicorn's protocol with deadlines, bounds and problems."""

import asyncio
import resource
from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import HEAD_TOO_LARGE, HEAD_TOO_SLOW, MALFORMED, OVERLOADED, ProblemKind

HEAD_BYTES = 65_536
"""Of a request's line and headers."""
RESERVED_FILES = 256
"""Open files that connections leave to networks, records and child processes."""


def most_connections() -> int:
    """How many connections the limit on open files has room for."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY:
        return 1_000_000
    return max(allowed - RESERVED_FILES, allowed // 2)


class GuardedProtocol(HttpToolsProtocol):
    """One connection, which ends if its client sends a head too slowly or too long, or does not read.

    Uvicorn itself knows one deadline alone, between two requests. Bodies are watched by `app.edge.bodies`.

    Attributes:
        patience_seconds: for a head, for the rest of a body that was refused before its end, and for a client that does
            not read.
    """

    patience_seconds = 20.0
    _head_is_open = True
    _head_has_begun = False
    _unparsed_bytes = 0
    _parsed_bytes = 0
    _events = 0
    _refusal = MALFORMED, "this is no HTTP request"
    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > (most := most_connections()):
            self._refuse(OVERLOADED, f"{most} connections are open already", "retry-after: 1\r\n")
            return
        self._expect_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all timers."""
        self._met_deadline()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, within the bounds of a head."""
        if self.transport.is_closing():
            return
        before = self._events
        super().data_received(data)
        if not self._head_is_open or self.transport.is_closing():
            return
        if self._is_idle():
            self._expect_soon()
        if self._events == before:
            # The parser keeps an unfinished header to itself, however long.
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > HEAD_BYTES:
                self._refuse(*_head_too_large())

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_has_begun, self._parsed_bytes = True, 0
        self._expect_soon()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_open, self._head_has_begun, self._unparsed_bytes = False, False, 0
        self._events += 1
        self._met_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there, and the next head may begin."""
        self._head_is_open = True
        self._events += 1
        self._met_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out; what was not read of its request's body is thrown away, for a while."""
        super().on_response_complete()
        if not self._head_is_open and not self.transport.is_closing():
            self._expect_soon()

    def pause_writing(self) -> None:
        """The client reads too slowly, or not at all."""
        super().pause_writing()
        self._reading = self.loop.call_later(self.patience_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._stop_reading_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refuses."""
        self._refuse(*self._refusal)

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > HEAD_BYTES:
            self._refusal = _head_too_large()
            raise ValueError  # the parser hands it on as an error of its own

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_soon(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.patience_seconds, self._give_up)

    def _met_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_reading_timer(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if not self._is_idle():
            self._expect_soon()  # the answer before is still being made
        elif self._head_has_begun:
            self._refuse(HEAD_TOO_SLOW, f"the request's head was not there within {self.patience_seconds:g} s")
        else:
            self.transport.close()

    def _refuse(self, kind: ProblemKind, detail: str, headers: str = "") -> None:
        status = HTTPStatus(kind.status)
        body = orjson.dumps(
            {
                "type": f"/problems/{kind.slug}",
                "title": kind.title,
                "status": int(status),
                "detail": detail,
                "instance": "",
                "request_id": "",
            }
        )
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n{headers}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def guarded_protocol(patience_seconds: float) -> type[GuardedProtocol]:
    """The protocol with that much patience; uvicorn makes an object of it for every connection."""
    return type("Guarded", (GuardedProtocol,), {"patience_seconds": patience_seconds})


def _head_too_large() -> tuple[ProblemKind, str]:
    return HEAD_TOO_LARGE, f"the request's line and headers have more than {HEAD_BYTES} bytes"
