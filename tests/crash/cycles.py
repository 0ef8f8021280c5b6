"""Kill a server at a random moment, start it again, look whether everything is as was acknowledged; and so on."""

import random
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from tests.crash.check import check, check_file, check_trail
from tests.crash.servers import Victim
from tests.crash.writer import DIM, GALLERIES, Writer

WRITERS = 3
MOST_CALLS = 40
CALLS_SECONDS = 120
# After so many cycles in one folder the checks, which read all of its audit trail, take longer than the cycles.
CYCLES_A_FOLDER = 50


@dataclass
class Tally:
    """What was done so far."""

    cycles: int = 0
    killed_at_start: int = 0
    acknowledged: int = 0
    searches: int = 0
    entries: int = 0


def run_cycles(cycles: int, seed: int, told: Callable[[Tally], None] = lambda tally: None) -> Tally:
    """Kill so many servers.

    Args:
        cycles: how many.
        seed: of what is called, and when they are killed.
        told: is called after every cycle.

    Raises:
        AssertionError: something acknowledged is lost, half there, or back.
    """
    tally = Tally()
    while tally.cycles < cycles:
        with tempfile.TemporaryDirectory() as folder:
            _run_in(Path(folder), min(CYCLES_A_FOLDER, cycles - tally.cycles), seed + tally.cycles, tally, told)
    return tally


def _run_in(data_dir: Path, cycles: int, seed: int, tally: Tally, told: Callable[[Tally], None]) -> None:
    chance = random.Random(seed)
    writers = [Writer(f"w{number}", random.Random(f"{seed}-{number}")) for number in range(WRITERS)]
    before = tally.entries
    for cycle in range(cycles):
        if chance.random() < 0.1:
            _kill_at_start(data_dir, chance, tally)
        _one_cycle(data_dir, writers, chance, tally, seed + cycle)
        entries = before + check_trail(data_dir)
        assert entries >= tally.entries, "the audit trail never loses an entry"
        tally.entries, tally.cycles = entries, tally.cycles + 1
        tally.acknowledged += sum(writer.acknowledged for writer in writers)
        for writer in writers:
            writer.acknowledged = 0
        told(tally)
    server = Victim.start_ready(data_dir)
    with server.client() as client:
        check(client, data_dir, writers, seed)
    assert server.end(signal.SIGTERM) == 0
    check_file(data_dir)


def _kill_at_start(data_dir: Path, chance: random.Random, tally: Tally) -> None:
    server = Victim.start(data_dir)
    time.sleep(chance.uniform(0, 3))
    server.end(signal.SIGKILL)
    tally.killed_at_start += 1


def _one_cycle(data_dir: Path, writers: list[Writer], chance: random.Random, tally: Tally, seed: int) -> None:
    server = Victim.start_ready(data_dir)
    alive = True
    try:
        with server.client() as client:
            _ensure_galleries(client)
            check(client, data_dir, writers, seed)
        with ThreadPoolExecutor(len(writers) + 1) as threads:
            working: list[Future[None]] = [threads.submit(_write, server, writer) for writer in writers]
            searching = threads.submit(_search, server, seed)
            _wait(writers, chance.randint(1, MOST_CALLS), working)
            time.sleep(chance.uniform(0, 0.05))
            server.end(signal.SIGKILL)
            alive = False
        for done in working:
            done.result()
        tally.searches += searching.result()
    finally:
        if alive:
            server.end(signal.SIGKILL)


def _wait(writers: list[Writer], calls: int, working: list[Future[None]]) -> None:
    """Wait until so many calls were acknowledged, or something has failed."""
    until = time.monotonic() + CALLS_SECONDS
    while sum(writer.acknowledged for writer in writers) < calls and not any(done.done() for done in working):
        assert time.monotonic() < until, "nothing moves"
        time.sleep(0.002)


def _ensure_galleries(client: httpx.Client) -> None:
    there = {gallery["name"]: gallery for gallery in client.get("/v1/galleries").raise_for_status().json()}
    assert there["default"]["embedding_dim"] == DIM
    for name in set(GALLERIES) - set(there):
        client.post("/v1/galleries", json={"name": name}).raise_for_status()


def _write(server: Victim, writer: Writer) -> None:
    with server.client() as client:
        writer.write(client)


def _search(server: Victim, seed: int) -> int:
    """Search without a pause until the server is gone; returns how often."""
    chance, count = np.random.default_rng(seed), 0
    with server.client() as client:
        while True:
            gallery = GALLERIES[count % 2]
            body = {"gallery": gallery, "embedding": chance.standard_normal(DIM).tolist(), "rerank": "k_reciprocal"}
            try:
                found = client.post("/v1/reid/query", json=body)
            except httpx.TransportError:
                return count
            assert found.is_success, found.text
            count += 1
