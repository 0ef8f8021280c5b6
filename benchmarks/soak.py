"""`python -m benchmarks.soak --minutes 30`: mixed work on one server, and whether its memory grows, beyond noise."""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import numpy as np
from numpy.typing import NDArray

from app.samples import sample_crops
from benchmarks.servers import Served, free_port, start

CALLERS, SAMPLE_SECONDS, BLOCKS = 2, 1.0, 12
WARM_UP = 1 / 2
"""Share of the time in which caches fill and allocators settle; it is left out."""
FILLED_AT_ONCE, FILLS = 512, 6
RESOLUTION_MB = 2.0
"""Allocators take memory from the system, and index buffers double, in steps of this size."""
NORMAL_95 = 1.96
JPEGS = [crop.jpeg for crop in sample_crops(8, 4)]
GALLERY = "/v1/galleries/default"


@dataclass(frozen=True)
class Slope:
    """Megabytes an hour, between bounds that hold with 95 %, and the growth over all the time that was fitted."""

    steepness: float
    low: float
    high: float
    growth: float

    @property
    def is_zero(self) -> bool:
        """Within noise: the bounds allow it, or the growth is less than can be told from none."""
        return self.low <= 0 or self.growth <= RESOLUTION_MB


def slope(minutes: NDArray[np.float64], megabytes: NDArray[np.float64]) -> Slope:
    """The median slope between blocks of samples (Theil 1950), with the bounds of Sen (1968).

    Neighbouring samples are alike; the medians of blocks are nearly independent. No single step or peak moves the
    median of their slopes.

    Args:
        minutes, megabytes: (N,) samples in order of time, at least `BLOCKS`.
    """
    times = np.array([np.median(block) for block in np.array_split(minutes / 60, BLOCKS)])
    levels = np.array([np.median(block) for block in np.array_split(megabytes, BLOCKS)])
    later, earlier = np.tril_indices(BLOCKS, -1)
    slopes = np.sort((levels[later] - levels[earlier]) / (times[later] - times[earlier]))
    spread = NORMAL_95 * np.sqrt(BLOCKS * (BLOCKS - 1) * (2 * BLOCKS + 5) / 18)
    low, high = int((len(slopes) - spread) / 2), int((len(slopes) + spread) / 2)
    steepness = float(np.median(slopes))
    return Slope(steepness, float(slopes[low]), float(slopes[high]), steepness * float(times[-1] - times[0]))


def _fill(client: httpx.Client) -> None:
    """Make the index's pending changes as many as they ever become, and let it compact them, again and again."""
    rows = np.random.default_rng(0).standard_normal((FILLED_AT_ONCE, _embedding_dim(client)))
    body = {"embedding": (rows / np.linalg.norm(rows, axis=1, keepdims=True)).tolist()}
    for _ in range(FILLS):
        client.post(f"{GALLERY}/identities/filling/shots", json=body).raise_for_status()
        client.delete(f"{GALLERY}/identities/filling").raise_for_status()


def _embedding_dim(client: httpx.Client) -> int:
    return int(client.get(GALLERY).raise_for_status().json()["embedding_dim"])


def _enrol_and_erase(client: httpx.Client, rng: random.Random) -> httpx.Response:
    address = f"{GALLERY}/identities/p-{rng.randrange(10_000)}"
    files = [("image", jpeg) for jpeg in rng.sample(JPEGS, 2)]
    client.post(f"{address}/shots", files=files).raise_for_status()
    return client.delete(address)


WORK: list[Callable[[httpx.Client, random.Random], httpx.Response]] = [
    lambda client, rng: client.post("/v1/reid/embed", files={"image": rng.choice(JPEGS)}),
    lambda client, rng: client.post("/v1/reid/query", files={"image": rng.choice(JPEGS)}),
    lambda client, rng: client.post("/v1/reid/embed", files={"image": rng.choice(JPEGS)[:200]}),
    lambda client, rng: client.get(f"{GALLERY}/identities"),
    _enrol_and_erase,
]


def _call(url: str, seed: int, until: float, answers: Counter[int]) -> None:
    rng = random.Random(seed)
    while time.monotonic() < until:
        # Connections come and go too.
        with httpx.Client(base_url=url, timeout=60) as client:
            for _ in range(20):
                answers[rng.choice(WORK)(client, rng).status_code] += 1


def _measure(server: Served, minutes: float, answers: Counter[int]) -> NDArray[np.float64]:
    with httpx.Client(base_url=server.url, timeout=600) as client:
        _fill(client)
    began = time.monotonic()
    until = began + 60 * minutes
    callers = [threading.Thread(target=_call, args=(server.url, n, until, answers)) for n in range(CALLERS)]
    for caller in callers:
        caller.start()
    samples = []
    while time.monotonic() < until:
        samples.append(((time.monotonic() - began) / 60, server.megabytes()))
        time.sleep(SAMPLE_SECONDS)
    for caller in callers:
        caller.join()
    return np.array(samples)


def main() -> int:
    """Soak, print, and answer 1 if memory grows or a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    answers: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        server = start(folder, free_port(), {"pose_models": "", "gait_models": "", "leave_seconds": "0"})
        try:
            server.wait_until_ready()
            samples = _measure(server, minutes, answers)
        finally:
            code = server.stop()
    settled = samples[samples[:, 0] >= minutes * WARM_UP]
    found = slope(settled[:, 0], settled[:, 1])
    told = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
    sys.stdout.write(
        f"{minutes:g} minutes, {answers.total()} requests, {answers.total() / minutes / 60:.1f} a second ({told}), "
        f"exit code {code}\n"
        f"memory: {samples[0, 1]:.1f} MB first, {settled[0, 1]:.1f} MB half way, {settled[-1, 1]:.1f} MB in the end\n"
        f"slope of the second half: {found.steepness:+.1f} MB an hour, with 95 % between {found.low:+.1f} and"
        f" {found.high:+.1f}; {found.growth:+.2f} MB in all: {'zero within noise' if found.is_zero else 'IT GROWS'}\n"
    )
    return 0 if found.is_zero and max(answers) < 500 and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
