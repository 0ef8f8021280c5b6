"""`python -m benchmarks.rolling`: restart two servers in turn behind a balancer, under load, and count what failed."""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from app.samples import sample_crops
from benchmarks.balancer import balancing
from benchmarks.servers import free_port, start

CALLERS = 4
LEAVE_SECONDS = "3"
SETTINGS = {"leave_seconds": LEAVE_SECONDS, "pose_models": "", "gait_models": "", "threads": "1", "runtime": "torch"}
JPEGS = [crop.jpeg for crop in sample_crops(8, 2)]


async def _restart_all(folder: Path, answers: Counter[str]) -> AsyncIterator[str]:
    ports = [free_port(), free_port()]
    folders = [str(folder / str(port)) for port in ports]
    servers = [start(data, port, SETTINGS) for data, port in zip(folders, ports, strict=True)]
    try:
        async with balancing(ports) as (balancer, port):
            await balancer.all_ready()
            load = asyncio.create_task(_load(port, answers))
            await asyncio.sleep(5)
            for number, server in enumerate(servers):
                started = time.monotonic()
                code = await asyncio.to_thread(server.stop)
                left = time.monotonic() - started
                servers[number] = start(folders[number], ports[number], SETTINGS)
                await balancer.all_ready()
                away = time.monotonic() - started - left
                yield f"server {number + 1}: left in {left:.1f} s with exit code {code}, ready again {away:.1f} s later"
            await asyncio.sleep(5)
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
            failed = answers.total() - answers["200"]
            told = ", ".join(f"{count} x {what}" for what, count in sorted(answers.items()))
            yield f"{answers.total()} requests of {CALLERS} callers, {failed} failed: {told}"
    finally:
        # The balancer goes on meanwhile, or its connections would keep the servers.
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers))


async def _load(port: int, answers: Counter[str]) -> None:
    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            # Half keep their connections, half open one for every request.
            callers.create_task(_call(port, answers, keeps=number % 2 == 0))


async def _call(port: int, answers: Counter[str], keeps: bool) -> None:
    limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as client:
        while True:
            files = {"image": JPEGS[answers.total() % len(JPEGS)]}
            try:
                answers[str((await client.post("/v1/reid/embed", files=files)).status_code)] += 1
            except httpx.TransportError as error:
                answers[type(error).__name__] += 1


def _hand_over(folder: Path) -> str:
    """One data directory has one server: the next starts when the one before has left."""
    settings = SETTINGS | {"leave_seconds": "0"}
    first = start(str(folder), free_port(), settings)
    first.wait_until_ready()
    started = time.monotonic()
    first.stop()
    second = start(str(folder), free_port(), settings)
    second.wait_until_ready()
    seconds = time.monotonic() - started
    second.stop()
    return f"one data directory, handed over from server to server: {seconds:.1f} s without any"


async def _run() -> int:
    answers: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        async for line in _restart_all(Path(folder), answers):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        sys.stdout.write(f"{await asyncio.to_thread(_hand_over, Path(folder) / 'one')}\n")
    return 0 if set(answers) == {"200"} else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_run()))
