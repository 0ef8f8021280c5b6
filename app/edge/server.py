"""The server's end: it says that it is not ready, goes on serving for a while, finishes what is inside, and leaves."""

import signal
import time
from collections.abc import Callable
from types import FrameType

import uvicorn


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
