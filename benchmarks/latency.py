"""Latency against throughput: requests come at a steady rate, whether the last one was answered or not."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import servers
from benchmarks.load import closed_loop, multipart, open_loop
from benchmarks.serving import DEFAULT, JPEGS, Case, start
from benchmarks.weights import RESNET_50, write_fresh
from models.checkpoint import bundled_weights_dir
from training.plots import Axis, line_chart

SHARES = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1)
SECONDS = float(os.environ.get("SECONDS", "4"))
CHART = Path("docs/latency.svg")
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def run() -> Iterator[str]:
    """Yield the lines of the report; the chart is written beside the documentation."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for label, case in (
        ("default", Case("default network", None)),
        ("ResNet-50", Case("ResNet-50 256x128", RESNET_50)),
    ):
        yield f"\n{case.label}, as it is served; shares are of what 32 callers get in a closed loop"
        yield "| share asked | asked/s | served/s | p50 ms | p99 ms | generator late, p99 ms | answers |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        with tempfile.TemporaryDirectory() as folder:
            yield from _sweep(case, folder, [lines.setdefault(f"{label}, {part}", []) for part in ("p50", "p99")])
    chart = line_chart(
        "Requests at a steady rate",
        Axis("asked, as a share of the most that is served", (0.2, 0.4, 0.6, 0.8, 1.0, 1.1)),
        Axis("milliseconds", TICKS, log=True),
        lines,
    )
    CHART.write_text(chart)
    yield f"\nchart: {CHART}"


def _sweep(case: Case, folder: str, lines: list[list[tuple[float, float]]]) -> Iterator[str]:
    weights_dir, name = bundled_weights_dir(), DEFAULT
    if case.network:
        weights_dir = Path(folder) / "weights"
        name = write_fresh(case.network, weights_dir).name
    requests = multipart("/v1/reid/embed", JPEGS)
    with servers.ready(start(case, weights_dir, name, folder)) as server:
        closed_loop(server.url, requests, 32, SECONDS / 2)
        most = closed_loop(server.url, requests, 32, SECONDS).throughput
        for share in SHARES:
            load = open_loop(server.url, requests, share * most, SECONDS)
            numbers = [load.quantile(0.5), load.quantile(0.99)]
            for line, milliseconds in zip(lines, numbers, strict=True):
                line.append((share, milliseconds))
            times = f"{numbers[0]:.1f} | {numbers[1]:.1f} | {load.late_milliseconds:.1f}"
            yield f"| {share:.2f} | {share * most:.1f} | {load.throughput:.1f} | {times} | {load.statuses} |"
