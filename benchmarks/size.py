"""How a gallery bears its size: `python -m benchmarks size`, `SIZES=1000x512,100000x512` for other sizes.

A gallery of N embeddings is seeded, and a real server is started on it: it learns an index in the background, is
started again, and is asked and added to over HTTP, by embeddings. FAISS is asked the same in this process, with the
same lists and as many of them searched, one thread each. It takes three times the memory of the embeddings, and as much
disk.
"""

import io
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.crowds import Crowd, Rows, enrol_crowd, write_checkpoint
from benchmarks.servers import Served, free_port, start
from training.plots import Axis, line_chart

SIZES = "1000x512,10000x512,100000x512,1000000x512,250000x2048"
QUERIES, CALLS, ENROLMENTS, LIMIT = 300, 20, 200, 10
PLOT = Path(__file__).parents[1] / "docs" / "gallery-growth.svg"
COLUMNS = (
    "shots",
    "index",
    "raw FAISS p50 ms",
    "query p50 ms",
    "ratio",
    "recall@10",
    "enrol p50 / p99 ms",
    "ready s",
    "memory / embeddings",
    "learned in s",
)


@dataclass(frozen=True)
class Measured:
    """One size; times in milliseconds but for those in seconds."""

    crowd: Crowd
    index: dict[str, Any]
    raw: float
    query: float
    ratio: float
    enrolments: list[float]
    ready_seconds: float
    memory: float
    learned_seconds: float

    def row(self) -> str:
        """As a row of the table."""
        index = self.index
        kind = f"{index['kind']} {index['codes']}"
        if index["lists"]:
            kind += f", {index['lists_searched']} of {index['lists']} lists"
        p99 = float(np.percentile(self.enrolments, 99))
        cells = (
            f"{self.crowd.shots:,} x {self.crowd.dim}",
            kind,
            f"{self.raw:.2f}",
            f"{self.query:.2f}",
            f"{self.ratio:.2f}",
            f"{index['recall_at_10']:.3f}",
            f"{statistics.median(self.enrolments):.1f} / {p99:.1f}",
            f"{self.ready_seconds:.1f}",
            f"{self.memory:.2f}",
            f"{self.learned_seconds:.0f}",
        )
        return _line(cells)


def run() -> Iterator[str]:
    """Yield the lines of the report, and draw its curve if it is of all sizes."""
    wanted = os.environ.get("SIZES", SIZES)
    yield _line(COLUMNS)
    yield _line(["---"] * len(COLUMNS))
    measured = []
    for size in wanted.split(","):
        shots, dim = map(int, size.split("x"))
        measured.append(_measure(Crowd(shots, dim)))
        yield measured[-1].row()
    if wanted == SIZES:
        PLOT.write_text(_chart([one for one in measured if one.crowd.dim == 512]))
        yield f"the curve is in {PLOT.name}"


def _measure(crowd: Crowd) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = write_checkpoint(folder / "weights", crowd.dim)
        settings = {
            "weights_dir": str(folder / "weights"),
            "reid_model": checkpoint.name,
            "pose_models": "",
            "gait_models": "",
            "runtime": "torch",
            "leave_seconds": "0",
            # The golden sample would be computed beside what is timed.
            "canary_seconds": "3600",
        }
        empty, _ = _started(folder / "empty", settings)
        base = empty.megabytes()
        empty.stop()
        enrol_crowd(folder / "data", crowd, checkpoint.sha256)
        learning, _ = _started(folder / "data", settings)
        learned_seconds = _seconds_until_learned(learning)
        learning.stop()
        server, ready_seconds = _started(folder / "data", settings)
        try:
            ask = _Asking(server.port)
            index = ask.stats()["index"]
            raw, query, ratio = _timed(ask, crowd, index, folder / "data")
            enrolments = [ask.enrol(number, row) for number, row in enumerate(crowd.queries(ENROLMENTS))]
            memory = (server.megabytes() - base) * 1e6 / (crowd.shots * crowd.dim * 4)
        finally:
            server.stop()
    return Measured(crowd, index, raw, query, ratio, enrolments, ready_seconds, memory, learned_seconds)


def _started(data_dir: Path, settings: dict[str, str]) -> tuple[Served, float]:
    started = time.perf_counter()
    server = start(str(data_dir), free_port(), settings)
    server.wait_until_ready()
    return server, time.perf_counter() - started


def _seconds_until_learned(server: Served) -> float:
    started, ask = time.perf_counter(), _Asking(server.port)
    while ask.stats()["index"]["building"]:
        time.sleep(0.2)
    return time.perf_counter() - started


class _Asking:
    """One connection that is kept, as a client does that asks often.

    It writes to the socket itself, and requests are encoded before the clock starts: what a client of Python's own
    library costs is not the service's.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.connect_anew()

    def connect_anew(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def stats(self) -> dict[str, Any]:
        return dict(json.loads(self.ask(_request("GET", "/v1/galleries/default/stats"))))

    def enrol(self, number: int, row: Rows) -> float:
        """Milliseconds until it was acknowledged."""
        body = json.dumps({"embedding": row.tolist()}).encode()
        request = _request("POST", f"/v1/galleries/default/identities/new-{number}/shots", body)
        return _milliseconds(lambda: self.ask(request))

    def ask(self, request: bytes) -> bytes:
        """The body of the answer."""
        self._socket.sendall(request)
        status, length = self._answers.readline(), 0
        while line := self._answers.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        content = self._answers.read(length)
        if not status.startswith(b"HTTP/1.1 2"):
            raise RuntimeError((status + content).decode())
        return content


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _timed(ask: _Asking, crowd: Crowd, index: dict[str, Any], data_dir: Path) -> tuple[float, float, float]:
    queries = crowd.queries(QUERIES)
    bodies = [json.dumps({"embedding": row.tolist(), "limit": LIMIT}).encode() for row in queries]
    requests = [_request("POST", "/v1/reid/query", body) for body in bodies]
    raw = _raw_lists(crowd, index, data_dir) if index["lists"] else _raw_flat(crowd)
    # That may have taken longer than a connection is kept.
    ask.connect_anew()
    ask.ask(requests[0])
    faiss.omp_set_num_threads(1)
    alone, asked = [], []
    # In turns, because the machine's speed drifts; several calls a turn, because each process has to find its caches.
    for turn in range(0, QUERIES, CALLS):
        here = slice(turn, turn + CALLS)
        alone += [_milliseconds(partial(raw.search, row[None], LIMIT)) for row in queries[here]]
        asked += [_milliseconds(partial(ask.ask, request)) for request in requests[here]]
    one, other = statistics.median(alone), statistics.median(asked)
    return one, other, other / one


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def _raw_flat(crowd: Crowd) -> Any:  # noqa: ANN401  FAISS has no types
    flat = faiss.IndexFlatIP(crowd.dim)
    for people in crowd.people():
        flat.add(people.reshape(-1, crowd.dim))
    return flat


def _raw_lists(crowd: Crowd, index: dict[str, Any], data_dir: Path) -> Any:  # noqa: ANN401
    """FAISS's own index of the lists that the server has learned."""
    (snapshot,) = (data_dir / "indexes").iterdir()
    # A checksum comes first.
    with np.load(io.BytesIO(snapshot.read_bytes()[32:])) as values:
        homes = values["homes"]
    centres, done = np.zeros((index["lists"], crowd.dim), np.float32), 0
    for people in crowd.people():
        rows = people.reshape(-1, crowd.dim)
        np.add.at(centres, homes[done : done + len(rows)], rows)
        done += len(rows)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    quantizer = faiss.IndexFlatIP(crowd.dim)
    quantizer.add(centres)
    kinds = {"float16": faiss.ScalarQuantizer.QT_fp16, "int8": faiss.ScalarQuantizer.QT_8bit}
    raw: Any
    shape = (quantizer, crowd.dim, len(centres))
    if index["codes"] == "float32":
        raw = faiss.IndexIVFFlat(*shape, faiss.METRIC_INNER_PRODUCT)
    else:
        raw = faiss.IndexIVFScalarQuantizer(*shape, kinds[index["codes"]], faiss.METRIC_INNER_PRODUCT, False)
        raw.train(crowd.queries(10_000))
    raw.is_trained, raw.nprobe = True, index["lists_searched"]
    for people in crowd.people():
        raw.add(people.reshape(-1, crowd.dim))
    return raw


def _chart(measured: list[Measured]) -> str:
    shots = Axis("shots of 512 numbers", (1e3, 1e4, 1e5, 1e6), log=True)
    milliseconds = Axis("milliseconds, median", (0.05, 0.2, 1, 5, 20), log=True)
    lines = {
        "query through the API": [(one.crowd.shots, one.query) for one in measured],
        "FAISS alone, the same index": [(one.crowd.shots, one.raw) for one in measured],
        "one enrolment, acknowledged": [(one.crowd.shots, statistics.median(one.enrolments)) for one in measured],
    }
    return line_chart("Growth of a gallery", shots, milliseconds, lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
