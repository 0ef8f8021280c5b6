"""Twenty times more than the service can do: what is let in, what is refused, and how it recovers."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np

from app.samples import sample_crops

FACTOR, SECONDS, DEADLINE_MS, CLIENTS = 20, 10, 2000, 40
JPEGS = [crop.jpeg for crop in sample_crops(8, 2)]


@dataclass
class Load:
    """What came back: milliseconds by status; 0 is no answer at all."""

    seconds: float = 0.0
    sent: int = 0
    milliseconds: dict[int, list[float]] = field(default_factory=dict)

    def line(self, name: str) -> str:
        """A row of the report."""
        counts = Counter({status: len(times) for status, times in self.milliseconds.items()})
        served = np.array(self.milliseconds.get(200, [np.nan]))
        others = [times for status, times in self.milliseconds.items() if status != 200]
        refused = np.concatenate(others) if others else np.array([np.nan])
        answers = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(counts.items()))
        return (
            f"{name:<10} {self.sent / self.seconds:8.0f}/s sent {counts[200] / self.seconds:7.1f}/s served, p50 "
            f"{np.median(served):6.0f} p99 {np.quantile(served, 0.99):6.0f} ms; refused p50 {np.median(refused):5.0f} "
            f"p99 {np.quantile(refused, 0.99):5.0f} ms; {answers}"
        )


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    with tempfile.TemporaryDirectory() as folder, _server(folder) as url:
        yield from asyncio.run(_measure(url))


async def _measure(url: str) -> list[str]:
    async with _client(url) as client:
        await _closed_loop(client, 8, 2)
        before = await _memory(client)
        normal = await _closed_loop(client, 16, SECONDS / 2)
        rate = FACTOR * len(normal.milliseconds[200]) / normal.seconds
        peak = asyncio.create_task(_peak_memory(client))
        overload = await _open_loop(client, rate, SECONDS)
        peak.cancel()
        (highest,) = await asyncio.gather(peak)
        recovered = await _closed_loop(client, 16, SECONDS / 2)
        after = await _memory(client)
    return [
        f"embedding one crop; overload: {FACTOR} times the normal rate, each with a deadline of {DEADLINE_MS} ms",
        normal.line("normal"),
        overload.line("overload"),
        recovered.line("afterwards"),
        f"memory: {before:.0f} MB before, {highest:.0f} MB at most under overload, {after:.0f} MB afterwards",
    ]


async def _send(client: httpx.AsyncClient, load: Load, headers: dict[str, str]) -> None:
    started, number = time.perf_counter(), load.sent
    load.sent += 1
    headers = headers | {"X-Forwarded-For": f"10.0.0.{number % CLIENTS}", "Content-Type": "image/jpeg"}
    try:
        status = (await client.post("/v1/reid/embed", content=JPEGS[number % len(JPEGS)], headers=headers)).status_code
    except httpx.TransportError:
        status = 0
    load.milliseconds.setdefault(status, []).append(1000 * (time.perf_counter() - started))


async def _closed_loop(client: httpx.AsyncClient, callers: int, seconds: float) -> Load:
    load, started = Load(), time.perf_counter()

    async def caller() -> None:
        while time.perf_counter() - started < seconds:
            await _send(client, load, {})

    await asyncio.gather(*(caller() for _ in range(callers)))
    load.seconds = time.perf_counter() - started
    return load


async def _open_loop(client: httpx.AsyncClient, rate: float, seconds: float) -> Load:
    load, started = Load(), time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    while (elapsed := time.perf_counter() - started) < seconds:
        for _ in range(int(rate * elapsed) - len(tasks)):
            tasks.append(asyncio.create_task(_send(client, load, {"X-Deadline-Ms": str(DEADLINE_MS)})))
        await asyncio.sleep(0.002)
    load.seconds = time.perf_counter() - started
    await asyncio.gather(*tasks)
    return load


async def _memory(client: httpx.AsyncClient) -> float:
    text = (await client.get("/metrics")).text
    (found,) = re.findall(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)
    return float(found) / 1e6


async def _peak_memory(client: httpx.AsyncClient) -> float:
    highest = 0.0
    try:
        while True:
            highest = max(highest, await _memory(client))
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return highest


def _client(url: str) -> httpx.AsyncClient:
    # Refused requests must not wait for a connection in the generator.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    return httpx.AsyncClient(base_url=url, timeout=60, limits=limits)


@contextmanager
def _server(folder: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    arguments = ["--port", str(port), "--data-dir", folder]
    process = subprocess.Popen(command + arguments, env=os.environ | {"GAITKEEPER_LOG_LEVEL": "error"})
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                httpx.get(f"{url}/readyz", timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()
