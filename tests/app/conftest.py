"""A real server process for the tests of the HTTP contract."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.app.forking import Forked, start


@dataclass
class Server:
    """A `gaitkeeper serve` process on loopback."""

    process: Forked
    url: str
    data_dir: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def start_server(data_dir: Path, **settings: str) -> Server:
    """Start a server and wait until it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Other runtimes first export the networks, once for each data folder; the fastest batch is tried at each start.
    environment = (
        os.environ
        | {"GAITKEEPER_RUNTIME": "torch", "GAITKEEPER_MAX_BATCH": "8", "GAITKEEPER_LEAVE_SECONDS": "0"}
        | {f"GAITKEEPER_{name.upper()}": value for name, value in settings.items()}
    )
    process = start(["serve", "--port", str(port), "--data-dir", str(data_dir)], environment)
    server = Server(process, f"http://127.0.0.1:{port}", data_dir)
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/readyz", timeout=10).status_code == 200:
                return server
        time.sleep(0.1)
    server.kill()
    raise RuntimeError("the server did not become ready")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of the contract; each test uses galleries of its own."""
    running = start_server(tmp_path_factory.mktemp("data"), max_images="8", max_image_bytes="2000000")
    yield running
    running.terminate()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client of that server."""
    with server.client() as client:
        yield client
