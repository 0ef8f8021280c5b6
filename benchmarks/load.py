"""The load generator: HTTP requests from a process of its own, in a closed loop or an open one.

It speaks HTTP/1.1 over plain sockets, because a convenient client would take as much CPU time as some servers do.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import httptools
import numpy as np

BOUNDARY = "benchmark"
NO_ANSWER = 0
"""What stands for a status where the connection broke."""
LONGEST_SECONDS = 120
"""A server that takes longer to answer its last request is given up."""


@dataclass
class Load:
    """What came back.

    Attributes:
        seconds: how long requests were sent for.
        milliseconds: of every answer, by status; in an open loop from when it should have been sent.
        cpu_seconds: what the generator itself took.
        late_milliseconds: how late it sent in an open loop, p99; a busy machine delays it.
    """

    seconds: float = 0.0
    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    late_milliseconds: float = 0.0

    @property
    def count(self) -> int:
        """All answers."""
        return sum(map(len, self.milliseconds.values()))

    @property
    def served(self) -> list[float]:
        """Milliseconds of the answers with status 200."""
        return self.milliseconds.get(200, [])

    @property
    def throughput(self) -> float:
        """Answers with status 200 a second."""
        return len(self.served) / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU time that the generator took for a request."""
        return 1e6 * self.cpu_seconds / max(self.count, 1)

    @property
    def statuses(self) -> str:
        """How many answers of each status."""
        counts = Counter({status: len(times) for status, times in self.milliseconds.items()})
        return ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(counts.items()))

    @property
    def unanswered(self) -> int:
        """Requests whose connection broke."""
        return len(self.milliseconds.get(NO_ANSWER, []))

    def quantile(self, share: float, *, refused: bool = False) -> float:
        """Milliseconds within which that share of the served, or of the others, was answered."""
        others = [time for status, times in self.milliseconds.items() if status != 200 for time in times]
        times = others if refused else self.served
        return float(np.quantile(times, share)) if times else float("nan")

    def add(self, status: int, milliseconds: float) -> None:
        """Count one answer."""
        self.milliseconds.setdefault(status, []).append(milliseconds)


def multipart(path: str, pictures: Sequence[bytes], fields: Mapping[str, str] | None = None) -> list[bytes]:
    """Whole HTTP requests, one a picture (a JPEG in the field "image"), with the same further fields each."""
    return [_multipart(path, picture, fields or {}) for picture in pictures]


def _multipart(path: str, picture: bytes, fields: Mapping[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
    parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", picture, f"\r\n--{BOUNDARY}--\r\n".encode()]
    return request(path, b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole HTTP request."""
    all_headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def closed_loop(url: str, requests: Sequence[bytes], concurrency: int, seconds: float) -> Load:
    """Load by so many callers, each of whom sends the next request when the last was answered; from a new process."""
    return _in_process(url, requests, seconds, {"concurrency": concurrency})


def open_loop(url: str, requests: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Load of so many requests a second, whether they are answered or not; from a new process."""
    return _in_process(url, requests, seconds, {"rate": rate})


def _in_process(url: str, requests: Sequence[bytes], seconds: float, loop: dict[str, float]) -> Load:
    task = {"url": url, "requests": [b64encode(each).decode() for each in requests], "seconds": seconds, **loop}
    command = [sys.executable, "-m", "benchmarks.load"]
    limit = seconds + LONGEST_SECONDS
    done = subprocess.run(command, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True, timeout=limit)
    answer = json.loads(done.stdout)
    times = {int(status): values for status, values in answer.pop("milliseconds").items()}
    return Load(milliseconds=times, **answer)


class _Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._end(self._parser.get_status_code())
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._end(NO_ANSWER)

    def _end(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    @property
    def is_open(self) -> bool:
        """Whether it can carry another request."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, request: bytes) -> int:
        """Send a request; its status, or `NO_ANSWER`."""
        if self._transport is None:
            return NO_ANSWER
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


class _Client:
    """Connections to one server, kept for the next request."""

    def __init__(self, url: str, requests: Sequence[bytes]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = itertools.cycle(requests)
        self._idle: list[_Connection] = []

    async def send(self) -> int:
        """Send the next request; its status."""
        connection = await self._connection()
        status = await connection.send(next(self._requests))
        if connection.is_open:
            self._idle.append(connection)
        return status

    async def _connection(self) -> _Connection:
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        return connection


async def _closed(client: _Client, concurrency: int, seconds: float) -> Load:
    load, started = Load(), time.perf_counter()
    last = started

    async def call() -> None:
        nonlocal last
        while (sent := time.perf_counter()) - started < seconds:
            status = await client.send()
            last = time.perf_counter()
            load.add(status, 1000 * (last - sent))

    await asyncio.gather(*(call() for _ in range(concurrency)))
    load.seconds = last - started
    return load


async def _open(client: _Client, rate: float, seconds: float) -> Load:
    load, late, started = Load(), list[float](), time.perf_counter()

    async def call(due: float) -> None:
        late.append(1000 * (time.perf_counter() - due))
        try:
            status = await client.send()
        except OSError:
            status = NO_ANSWER
        load.add(status, 1000 * (time.perf_counter() - due))

    async with asyncio.TaskGroup() as calls:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            # Within a millisecond it is sent at once: a loop's timer is no finer.
            if (early := due - time.perf_counter()) > 0.001:
                await asyncio.sleep(early)
            calls.create_task(call(due))
        load.seconds = max(time.perf_counter() - started, seconds)
    load.late_milliseconds = float(np.quantile(late, 0.99)) if late else 0.0
    return load


def _main() -> None:
    task = json.load(sys.stdin)
    client = _Client(task["url"], [b64decode(each) for each in task["requests"]])
    way = _closed(client, task["concurrency"], task["seconds"]) if "concurrency" in task else None
    started = time.process_time()
    load = asyncio.run(way or _open(client, task["rate"], task["seconds"]))
    load.cpu_seconds = time.process_time() - started
    sys.stdout.write(json.dumps(asdict(load)))


if __name__ == "__main__":
    _main()
