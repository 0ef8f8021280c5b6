"""The server's beginning and end: told to end, it is not ready, serves on for a while, finishes and leaves."""

import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from app.edge.process import settle


class LeavingServer(uvicorn.Server):
    """Serves on after SIGTERM until balancers have noticed; a second signal, or Ctrl+C, ends that at once.

    Args:
        config: of uvicorn, whose `timeout_graceful_shutdown` bounds what follows.
        leave: called when the service is told to end; from a signal handler, so it may only set something.
        seconds: how long to serve on.
    """

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None], seconds: float) -> None:
        super().__init__(config)
        self._leave, self._seconds = leave, seconds
        self._end: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        settle()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks the process to end."""
        self._leave()
        if sig == signal.SIGTERM and self._end is None:
            self._end = time.monotonic() + self._seconds
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end now; uvicorn asks ten times a second."""
        if self._end is not None and time.monotonic() >= self._end and not self.should_exit:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)
