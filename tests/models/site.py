"""A web server on loopback whose faults are chosen by the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """One file under every path, and how it is served.

    Attributes:
        data: the file.
        ranges: answer requests for a part with that part.
        etag, last_modified: what this version of the file is called.
        cuts: after how many bytes the connection breaks, for the first answers.
        status: of every answer.
        content_type: of the file.
        length_known: say how long the file is.
        moved: paths that redirect, and where to.
        requests: what was asked for, (path, headers).
    """

    data: bytes
    ranges: bool = True
    etag: str = '"v1"'
    last_modified: str = ""
    cuts: list[int] = field(default_factory=list)
    status: int = 200
    content_type: str = "application/octet-stream"
    length_known: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def asked_for(self, header: str) -> list[str | None]:
        """A header of every request."""
        return [headers.get(header) for _, headers in self.requests]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: object) -> None:
        self.site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        site = self.site
        site.requests.append((self.path, dict(self.headers)))
        if self.path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start()
        if start is not None and start >= len(site.data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(start)

    def _start(self) -> int | None:
        """Where the wanted part begins; None if all is wanted, or the file is not the one that was begun."""
        wanted, version = self.headers.get("Range"), self.headers.get("If-Range")
        current = (None, self.site.etag, self.site.last_modified)
        if not (self.site.ranges and wanted and version in current):
            return None
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _send(self, start: int | None) -> None:
        site = self.site
        part = site.data[start or 0 :]
        self.send_response(site.status if start is None else 206)
        self.send_header("Content-Type", site.content_type)
        if site.length_known:
            self.send_header("Content-Length", str(len(part)))
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(site.data) - 1}/{len(site.data)}")
        for name, value in (("ETag", site.etag), ("Last-Modified", site.last_modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(part[: site.cuts.pop(0)] if site.cuts else part)
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Serve on a free port of loopback; the site's `url` is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *arguments: _Handler(site, *arguments))
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
