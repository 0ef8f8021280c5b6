"""Twenty times more than the service can do: what is let in, what is refused, and how it recovers."""

import os
import tempfile
import threading
from collections.abc import Iterator

from app.samples import sample_crops
from benchmarks import servers
from benchmarks.load import Load, closed_loop, open_loop, request

FACTOR, DEADLINE_MS, CLIENTS, CALLERS = 20, 2000, 40, 16
SECONDS = float(os.environ.get("SECONDS", "10"))
JPEGS = [crop.jpeg for crop in sample_crops(8, 2)]


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    settings = {"pose_models": "", "gait_models": "", "leave_seconds": "0"}
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.ready(servers.start(folder, servers.free_port(), settings)) as server,
    ):
        yield from _measure(server)


def _measure(server: servers.Served) -> Iterator[str]:
    yield f"embedding one crop; {FACTOR} times the normal rate, each with a deadline of {DEADLINE_MS} ms"
    patient, hurried = _requests({}), _requests({"X-Deadline-Ms": str(DEADLINE_MS)})
    closed_loop(server.url, patient, CALLERS, 2)
    before = server.pss_megabytes()
    normal = closed_loop(server.url, patient, CALLERS, SECONDS / 2)
    with _Watch(server) as watch:
        overload = open_loop(server.url, hurried, FACTOR * normal.throughput, SECONDS)
    first = closed_loop(server.url, patient, CALLERS, 1)
    later = closed_loop(server.url, patient, CALLERS, SECONDS / 2)
    yield "| load | sent/s | served/s | p50 ms | p99 ms | refused p50 ms | p99 ms | answers |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    yield from (_row("normal", normal), _row("overload", overload), _row("first second after", first))
    yield _row("afterwards", later)
    memory = f"{before:.0f} MB before, {watch.highest:.0f} at most under overload, {server.pss_megabytes():.0f} after"
    yield f"memory (PSS): {memory}"
    yield f"generator: {overload.cost:.0f} us of CPU a request, late by {overload.late_milliseconds:.0f} ms (p99)"
    where = "inside" if overload.quantile(0.99) <= DEADLINE_MS else "OUTSIDE"
    yield f"p99 of what was let in is {where} the deadline; {overload.unanswered} requests without an answer"


def _requests(headers: dict[str, str]) -> list[bytes]:
    """One caller alone would be held to its share."""
    common = {"Content-Type": "image/jpeg", **headers}
    return [
        request("/v1/reid/embed", JPEGS[number % len(JPEGS)], {**common, "X-Forwarded-For": f"10.0.0.{number}"})
        for number in range(CLIENTS)
    ]


def _row(name: str, load: Load) -> str:
    refused = [load.quantile(share, refused=True) for share in (0.5, 0.99)]
    cells = (
        f"{load.count / load.seconds:.0f}",
        f"{load.throughput:.1f}",
        f"{load.quantile(0.5):.0f}",
        f"{load.quantile(0.99):.0f}",
        *(f"{milliseconds:.0f}" for milliseconds in refused),
        load.statuses,
    )
    return f"| {name} | {' | '.join(cells)} |"


class _Watch:
    """Looks at a server's memory twice a second."""

    def __init__(self, server: servers.Served) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.highest = 0.0

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.highest = max(self.highest, self._server.pss_megabytes())
