"""How a real server leaves: not ready at once, everything that was let in is finished, exit code 0."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx

from app.samples import sample_crops
from tests.app.conftest import Server, start_server

JPEG = sample_crops(identities=1, cameras=1)[0].jpeg


@contextlib.contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[Server]:
    server = start_server(data_dir, pose_models="", gait_models="", log_level="error", **settings)
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def half_upload(server: Server) -> Iterator[socket.socket]:
    """A request that was let in, with half of its body still to come."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as opened:
        head = f"POST /v1/reid/embed HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(JPEG)}"
        opened.sendall(head.encode() + b"\r\n\r\n" + JPEG[: len(JPEG) // 2])
        with server.client() as client:
            while "gaitkeeper_admitted_items 1.0" not in client.get("/metrics").text:
                continue
        yield opened


def listens(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_a_server_that_leaves_is_not_ready_but_serves_on(tmp_path: Path) -> None:
    with serving(tmp_path, leave_seconds="600") as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        while (ready := client.get("/readyz")).status_code == 200:
            continue
        embedded = client.post("/v1/reid/embed", content=JPEG, headers={"Content-Type": "image/jpeg"})

        assert (ready.status_code, ready.json()["type"]) == (503, "/problems/not-ready")
        assert (ready.headers["connection"], "retry-after" in ready.headers) == ("close", True)
        assert client.get("/v2/health/ready").status_code == 503
        assert client.get("/healthz").status_code == embedded.status_code == 200
        assert embedded.headers["connection"] == "close"
        # A second signal does not wait any longer.
        assert server.terminate() == 0


def test_what_was_let_in_is_finished(tmp_path: Path) -> None:
    with serving(tmp_path) as server, half_upload(server) as opened:
        server.process.send_signal(signal.SIGTERM)
        while listens(server):
            continue
        assert server.process.poll() is None
        opened.sendall(JPEG[len(JPEG) // 2 :])

        assert opened.recv(12) == b"HTTP/1.1 200"
        assert server.process.wait(60) == 0


def test_a_client_that_never_ends_does_not_keep_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, finish_seconds="1", patience_seconds="600") as server, half_upload(server):
        assert server.terminate() == 0
