"""`python -m benchmarks.soak --minutes 30`: mixed work on one server, and the slope of its memory with its noise."""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import numpy as np
from numpy.typing import NDArray

from app.samples import sample_crops
from benchmarks.servers import Served, free_port, start

CALLERS, SAMPLE_SECONDS, BLOCKS = 2, 1.0, 12
WARM_UP = 1 / 3
"""Share of the time in which caches fill, allocators settle and indexes grow; it is left out."""
ALLOWED_MB_PER_HOUR = 20.0
JPEGS = [crop.jpeg for crop in sample_crops(8, 4)]
GALLERY = "/v1/galleries/default"


def slope(minutes: NDArray[np.float64], megabytes: NDArray[np.float64]) -> tuple[float, float]:
    """Megabytes an hour by least squares over medians of blocks, which are nearly independent, and its standard error.

    Args:
        minutes, megabytes: (N,) samples in order of time, at least `BLOCKS`.
    """
    times = np.array([np.median(block) for block in np.array_split(minutes / 60, BLOCKS)])
    levels = np.array([np.median(block) for block in np.array_split(megabytes, BLOCKS)])
    centred = times - times.mean()
    steepness = float(centred @ levels / (centred @ centred))
    residuals = levels - levels.mean() - steepness * centred
    return steepness, float(np.sqrt(residuals @ residuals / (BLOCKS - 2) / (centred @ centred)))


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
    """Soak, print, and answer 1 if memory surely grows."""
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
    steepness, error = slope(settled[:, 0], settled[:, 1])
    told = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
    sys.stdout.write(
        f"{minutes:g} minutes, {answers.total()} requests ({told}), exit code {code}\n"
        f"memory: {settled[0, 1]:.1f} MB after the warm-up, {settled[-1, 1]:.1f} MB at the end; "
        f"slope {steepness:+.1f} MB an hour, standard error {error:.1f}\n"
    )
    return 1 if steepness - 2 * error > ALLOWED_MB_PER_HOUR or max(answers) >= 500 else 0


if __name__ == "__main__":
    sys.exit(main())
