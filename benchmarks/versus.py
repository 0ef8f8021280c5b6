"""Gaitkeeper and other model servers side by side: same network, weights, threads, pictures and largest batch.

First in the same runtime, so that the servers alone differ: in eager PyTorch, and in what Gaitkeeper would take, which
which the peers then have from Gaitkeeper's own code. Then Gaitkeeper in its own runtimes against a peer that serves the
networks as their papers write them, in eager PyTorch.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import servers
from benchmarks.load import Load, closed_loop
from benchmarks.peers.plain import Job
from benchmarks.systems import OURS, PEERS, PYTHON, installed, requests_of, start_system, wait_until_it_serves
from benchmarks.weights import COMPACT, HOURGLASS_2, HRNET_W32, RESNET_50, RGA_SC, RRID, TINY, Fresh, write_fresh
from models.families import family_of

ROUNDS, SECONDS = int(os.environ.get("ROUNDS", "5")), float(os.environ.get("SECONDS", "4"))
CONCURRENCIES = (32, 8, 1)
MAX_BATCH = 8


@dataclass(frozen=True)
class Contest:
    """What all servers compute alike.

    Attributes:
        fresh: the network.
        how: for the report.
        job: in which runtime, precision and threads; where its weights are is filled in.
    """

    fresh: Fresh
    how: str
    job: Job


CORES = len(os.sched_getaffinity(0))
EAGER = Job("", "reid", precision="bf16", max_batch=MAX_BATCH)
FASTEST = Job("", "reid", threads=CORES, max_batch=MAX_BATCH, runtime="auto")
CONTESTS = (
    Contest(RESNET_50, "eager PyTorch in bf16, 1 thread", EAGER),
    Contest(RESNET_50, f"the fastest runtime in fp32, {CORES} threads", FASTEST),
    Contest(COMPACT, f"the fastest runtime in fp32, {CORES} threads", FASTEST),
)


@dataclass
class Rounds:
    """What was measured of one server, a number a round."""

    loads: dict[int, list[Load]] = field(default_factory=dict)
    megabytes: list[float] = field(default_factory=list)

    def each(self, callers: int, of: Callable[[Load], float]) -> list[float]:
        """A number of every round's load."""
        return [of(load) for load in self.loads[callers]]


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    peers = installed()
    for name in sorted(set(PEERS) - set(peers)):
        yield f"{name} is left out: {PYTHON} does not have it (benchmarks/requirements-peers.txt)"
    best = ""
    for contest in CONTESTS:
        results = {name: Rounds() for name in (OURS, *peers)}
        yield from same_runtime(contest, results, ROUNDS, SECONDS)
        if peers and not best:
            best = max(peers, key=lambda name: statistics.median(results[name].each(8, _rate)))
    if best:
        yield from own_runtimes((RGA_SC, HRNET_W32, HOURGLASS_2, RRID), best, max(ROUNDS - 2, 1), SECONDS)


def same_runtime(contest: Contest, results: dict[str, Rounds], rounds: int, seconds: float) -> Iterator[str]:
    """Fill in `results`: every server with one network in one runtime, in turns."""
    yield f"\n{contest.fresh.label}, {contest.how}, batches of {MAX_BATCH} at most; {rounds} rounds"
    with tempfile.TemporaryDirectory() as folder:
        write_fresh(contest.fresh, Path(folder), contest.job.precision)
        job = replace(contest.job, weights_dir=folder)
        for number in range(rounds):
            for name, measured in results.items():
                _measure(name, job, contest.fresh, measured, CONCURRENCIES, seconds)
                rates = ", ".join(
                    f"c={callers} {loads[-1].throughput:.1f}/s" for callers, loads in measured.loads.items()
                )
                yield f"round {number + 1}, {name}: {rates}, {measured.megabytes[-1]:.0f} MB"
    yield from _comparison(results)


def own_runtimes(networks: Sequence[Fresh], peer: str, rounds: int, seconds: float) -> Iterator[str]:
    """Networks in Gaitkeeper's fp32 runtimes against a peer with the plain ones, on every core."""
    yield f"\npictures/s in fp32, {CORES} threads, {rounds} rounds: {OURS} in its runtimes, {peer} plain"
    yield f"| network | {OURS}, 1 caller | {peer} | ratio | {OURS}, 8 callers | {peer} | ratio |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for fresh in networks:
        results = {OURS: Rounds(), peer: Rounds()}
        with tempfile.TemporaryDirectory() as folder:
            write_fresh(fresh, Path(folder))
            write_fresh(TINY, Path(folder), name="tiny")
            job = Job(
                folder, family_of(fresh.network).task, threads=CORES, max_batch=MAX_BATCH, runtime="auto", plain=True
            )
            for _ in range(rounds):
                for name, measured in results.items():
                    _measure(name, job, fresh, measured, (8, 1), seconds)
        cells = []
        for callers in (1, 8):
            ours, theirs = (results[name].each(callers, _rate) for name in (OURS, peer))
            cells += [
                f"{statistics.median(ours):.1f}",
                f"{statistics.median(theirs):.1f}",
                f"{_ratio(ours, theirs):.2f}",
            ]
        yield f"| {fresh.label} | {' | '.join(cells)} |"


def _measure(name: str, job: Job, fresh: Fresh, measured: Rounds, callers: Sequence[int], seconds: float) -> None:
    """One server alone on the machine, for one round."""
    job, requests = replace(job, port=servers.free_port()), requests_of(name, fresh)
    with servers.ready(start_system(name, job)) as server:
        wait_until_it_serves(server, requests)
        closed_loop(server.url, requests, max(callers), seconds / 2)
        for count in callers:
            measured.loads.setdefault(count, []).append(closed_loop(server.url, requests, count, seconds))
        measured.megabytes.append(server.pss_megabytes())


def _comparison(results: dict[str, Rounds]) -> Iterator[str]:
    yield "| server | 32 callers, /s | 8 callers, /s | 1 caller, p99 ms | MB (PSS) | generator, us | answers at 32 |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, measured in results.items():
        cells = (
            f"{statistics.median(measured.each(32, _rate)):.1f}",
            f"{statistics.median(measured.each(8, _rate)):.1f}",
            f"{statistics.median(measured.each(1, _p99)):.1f}",
            f"{statistics.median(measured.megabytes):.0f}",
            f"{statistics.median(measured.each(32, lambda load: load.cost)):.0f}",
            measured.loads[32][-1].statuses,
        )
        yield f"| {name} | {' | '.join(cells)} |"
    ours = results[OURS]
    for name in results:
        if name != OURS:
            theirs = results[name]
            yield (
                f"{OURS} / {name}, medians of the rounds' ratios: c=32 "
                f"{_ratio(ours.each(32, _rate), theirs.each(32, _rate)):.2f}, c=8 "
                f"{_ratio(ours.each(8, _rate), theirs.each(8, _rate)):.2f}, p99 at 1 "
                f"{_ratio(ours.each(1, _p99), theirs.each(1, _p99)):.2f}, memory "
                f"{_ratio(ours.megabytes, theirs.megabytes):.2f}"
            )


def _rate(load: Load) -> float:
    return load.throughput


def _p99(load: Load) -> float:
    return load.quantile(0.99)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
