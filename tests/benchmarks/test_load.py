import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load import NO_ANSWER, Load, closed_loop, multipart, open_loop

PICTURES = [b"one", b"two"]


class Handler(BaseHTTPRequestHandler):
    """Answers pictures; refuses the second kind, and hangs up on what is sent to /broken."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/broken":
            self.close_connection = True
            return
        self.send_response(503 if b"two" in body else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server for pictures."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_closed_loop_counts_every_answer_by_its_status(url: str) -> None:
    load = closed_loop(url, multipart("/embed", PICTURES), concurrency=3, seconds=0.2)

    assert set(load.milliseconds) == {200, 503}
    assert load.count >= 3
    assert load.throughput * load.seconds == pytest.approx(len(load.served))
    assert load.cost > 0


def test_an_open_loop_sends_as_many_as_were_asked_for(url: str) -> None:
    load = open_loop(url, multipart("/embed", PICTURES), rate=100, seconds=0.2)

    assert load.statuses == "10 x 200, 10 x 503"


def test_a_broken_connection_is_an_answer_that_never_came(url: str) -> None:
    load = closed_loop(url, multipart("/broken", PICTURES), concurrency=1, seconds=0.1)

    assert set(load.milliseconds) == {NO_ANSWER}
    assert load.unanswered == load.count


def test_quantiles_tell_the_served_from_the_refused() -> None:
    load = Load(1.0, {200: [1.0, 2.0, 3.0], 503: [10.0], 429: [20.0]})

    assert load.quantile(0.5) == 2.0
    assert load.quantile(0.5, refused=True) == 15.0
