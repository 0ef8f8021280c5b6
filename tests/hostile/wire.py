"""Bytes on a socket, for what no client library would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from tests.app.conftest import Server


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = orjson.loads(self.body)
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(found)
        assert found["status"] == self.status
        return found


@contextmanager
def connection(server: Server, seconds: float = 30) -> Iterator[socket.socket]:
    """An open connection; reading from it waits so many seconds at most."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as opened:
        yield opened


def head(method: str, path: str, *headers: str) -> bytes:
    """A request's line and headers."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def ask(server: Server, method: str, path: str, **content: Any) -> httpx.Response:  # noqa: ANN401  as httpx types it
    """Ask as a good client does, and with patience."""
    return httpx.request(method, server.url + path, timeout=60, **content)


def read_answer(opened: socket.socket) -> Answer:
    """The next answer on a connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(opened)
    lines, _, body = received.partition(b"\r\n\r\n")
    first, *rest = lines.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(opened)
    return Answer(int(first.split()[1]), headers, body)


def read_all(opened: socket.socket) -> bytes:
    """Everything until the other side closes."""
    return b"".join(iter(lambda: opened.recv(65_536), b""))


def send(server: Server, request: bytes) -> Answer:
    """The answer to these bytes."""
    with connection(server) as opened:
        opened.sendall(request)
        return read_answer(opened)


def is_closed(opened: socket.socket) -> bool:
    """Whether the other side has closed, once it says something."""
    try:
        return opened.recv(1) == b""
    except ConnectionResetError:
        return True


def _more(opened: socket.socket) -> bytes:
    received = opened.recv(65_536)
    if not received:
        raise ConnectionError("the connection ended within an answer")
    return received
