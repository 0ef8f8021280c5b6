"""What serving costs: throughput through HTTP against the bare forward pass, both in turns on one machine.

The limit is the fastest batch of the same network in the same runtime with the same threads, in this process.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from app.images import ImageLimits, decode_image
from app.samples import sample_crops
from benchmarks import servers
from benchmarks.load import Load, closed_loop, multipart
from benchmarks.peers.plain import predictor
from benchmarks.weights import RESNET_50, Fresh, write_fresh
from models.checkpoint import bundled_weights_dir, load_network, read_manifest
from models.predictors.reid import PersonEmbedder
from models.runtimes.cache import FileCache
from models.runtimes.selection import RuntimeOptions, accelerate
from models.runtimes.torch import Precision

BATCHES = (1, 4, 8, 16)
CONCURRENCIES = (1, 8, 32)
ROUNDS, SECONDS = int(os.environ.get("ROUNDS", "5")), float(os.environ.get("SECONDS", "4"))
JPEGS = [crop.jpeg for crop in sample_crops(8, 2)]
DEFAULT = "resnet18-market1501-compact"


@dataclass(frozen=True)
class Case:
    """What is served, and how.

    Attributes:
        network: with fresh weights; None for the bundled default.
        threads: of a forward pass; 0 for every core.
    """

    label: str
    network: Fresh | None
    runtime: Literal["auto", "torch"] = "auto"
    precision: Precision = "fp32"
    threads: int = 0


CASES = (
    Case("default network, as it is served", None),
    Case("ResNet-50 256x128, as it is served", RESNET_50),
    Case("ResNet-50 256x128, eager PyTorch in bf16, one thread", RESNET_50, "torch", "bf16", 1),
)


class Raw:
    """The bare forward pass in this process."""

    def __init__(self, case: Case, weights_dir: Path, name: str) -> None:
        checkpoint = read_manifest(weights_dir)[name]
        self._threads = case.threads or len(os.sched_getaffinity(0))
        options = RuntimeOptions(torch.device("cpu"), case.runtime, case.precision, self._threads)
        network = accelerate(load_network(checkpoint, weights_dir), checkpoint, options, FileCache(None))
        embedder = predictor(checkpoint, network)
        assert isinstance(embedder, PersonEmbedder)
        self._forward = embedder.forward
        self._items = [embedder.prepare(decode_image(jpeg, ImageLimits())) for jpeg in JPEGS]

    @torch.inference_mode()
    def rate(self, batch: int, seconds: float) -> float:
        """Pictures a second, in batches of that size."""
        torch.set_num_threads(self._threads)
        pictures: Tensor = torch.stack([self._items[index % len(self._items)] for index in range(batch)])
        self._forward(pictures)
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            self._forward(pictures)
            count += batch
        return count / (time.perf_counter() - started)


@dataclass
class Measured:
    """One case, a number a round.

    Attributes:
        limits: pictures a second of the fastest batch.
        alone_ms: of one picture by itself.
        loads: by concurrency.
    """

    limits: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)
    loads: dict[int, list[Load]] = field(default_factory=lambda: {count: [] for count in CONCURRENCIES})

    def median(self, of: Callable[[Load], float], concurrency: int) -> float:
        """Over the rounds."""
        return statistics.median(of(load) for load in self.loads[concurrency])

    def share(self, concurrency: int) -> float:
        """Of the limit that is served; the median of the rounds' ratios."""
        pairs = zip(self.loads[concurrency], self.limits, strict=True)
        return statistics.median(load.throughput / limit for load, limit in pairs)

    def added_ms(self) -> float:
        """What a request takes beside its forward pass, where nobody else asks."""
        pairs = zip(self.loads[1], self.alone_ms, strict=True)
        return statistics.median(load.quantile(0.5) - alone for load, alone in pairs)


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{ROUNDS} rounds of {SECONDS:g} s each way; medians; JPEG crops of 256x128, {_mean_bytes()} bytes, multipart"
    for case in CASES:
        yield from report(case)


def report(case: Case, rounds: int = ROUNDS, seconds: float = SECONDS) -> Iterator[str]:
    """The lines of one case."""
    with tempfile.TemporaryDirectory() as folder:
        weights_dir, name = bundled_weights_dir(), DEFAULT
        if case.network:
            weights_dir, name = (
                Path(folder) / "weights",
                write_fresh(case.network, Path(folder) / "weights", case.precision).name,
            )
        raw = Raw(case, weights_dir, name)
        rates = {batch: statistics.median(raw.rate(batch, seconds / 8) for _ in range(3)) for batch in BATCHES}
        best = max(rates, key=lambda batch: rates[batch])
        yield f"\n{case.label}"
        swept = ", ".join(f"{batch}: {rate:.1f}" for batch, rate in rates.items())
        yield f"raw forward, pictures/s by batch: {swept}; the limit is batch {best}"
        with servers.ready(start(case, weights_dir, name, folder)) as server:
            measured = _measure(raw, best, server.url, rounds, seconds)
            yield from _table(measured)
            yield f"memory {server.pss_megabytes():.0f} MB (PSS)"


def start(case: Case, weights_dir: Path, name: str, folder: str) -> servers.Served:
    """Start the service for a case, without other networks."""
    settings = {
        "weights_dir": str(weights_dir),
        "reid_model": name,
        "pose_models": "",
        "gait_models": "",
        "runtime": case.runtime,
        "precision": case.precision,
        "threads": str(case.threads),
        "leave_seconds": "0",
    }
    return servers.start(f"{folder}/data", servers.free_port(), settings)


def _measure(raw: Raw, best: int, url: str, rounds: int, seconds: float) -> Measured:
    requests, measured = multipart("/v1/reid/embed", JPEGS), Measured()
    closed_loop(url, requests, max(CONCURRENCIES), seconds / 2)
    for _ in range(rounds):
        measured.limits.append(raw.rate(best, seconds))
        for concurrency in reversed(CONCURRENCIES):
            measured.loads[concurrency].append(closed_loop(url, requests, concurrency, seconds))
        measured.alone_ms.append(1000 / raw.rate(1, seconds / 2))
    return measured


def _table(measured: Measured) -> Iterator[str]:
    yield f"limit {statistics.median(measured.limits):.1f}/s; one alone {statistics.median(measured.alone_ms):.1f} ms"
    yield "| callers | pictures/s | of the limit | p50 ms | p99 ms | generator, us a request | answers |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for callers in CONCURRENCIES:
        numbers = (
            f"{measured.median(lambda load: load.throughput, callers):.1f}",
            f"{measured.share(callers):.2f}",
            f"{measured.median(lambda load: load.quantile(0.5), callers):.1f}",
            f"{measured.median(lambda load: load.quantile(0.99), callers):.1f}",
            f"{measured.median(lambda load: load.cost, callers):.0f}",
            measured.loads[callers][-1].statuses,
        )
        yield f"| {callers} | {' | '.join(numbers)} |"
    yield f"added by serving to one caller's picture: {measured.added_ms():.1f} ms (p50)"


def _mean_bytes() -> int:
    return sum(map(len, JPEGS)) // len(JPEGS)
