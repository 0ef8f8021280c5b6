"""Servers to be killed: `gaitkeeper serve` with re-identification alone, forked, so that they start at once."""

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.app.forking import Forked, start

READY_SECONDS = 120
SETTINGS = {
    # The other runtimes and networks take long to load, and have nothing to do with galleries.
    "GAITKEEPER_RUNTIME": "torch",
    "GAITKEEPER_MAX_BATCH": "8",
    "GAITKEEPER_POSE_MODELS": "",
    "GAITKEEPER_GAIT_MODELS": "",
    "GAITKEEPER_LEAVE_SECONDS": "0",
    "GAITKEEPER_LOG_LEVEL": "error",
    # On a busy machine nobody is to be refused.
    "GAITKEEPER_MAX_WAIT_SECONDS": "600",
}


@dataclass(frozen=True)
class Victim:
    """One running server."""

    process: Forked
    url: str

    @classmethod
    def start(cls, data_dir: Path) -> "Victim":
        """Start one; it is not ready yet."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = ["serve", "--port", str(port), "--data-dir", str(data_dir)]
        return cls(start(arguments, os.environ | SETTINGS), f"http://127.0.0.1:{port}")

    @classmethod
    def start_ready(cls, data_dir: Path) -> "Victim":
        """Start one, and wait until it is ready."""
        victim = cls.start(data_dir)
        until = time.monotonic() + READY_SECONDS
        with victim.client() as client:
            while victim.process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return victim
                time.sleep(0.05)
        code = victim.end(signal.SIGKILL)
        raise RuntimeError(f"the server did not become ready; its exit code is {code}")

    def client(self) -> httpx.Client:
        """A client of it."""
        # Certificates are not needed, and reading them takes longer than most calls.
        return httpx.Client(base_url=self.url, timeout=READY_SECONDS, verify=False)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the exit code; -9 is that of the killed."""
        self.process.send_signal(number)
        return self.process.wait()
