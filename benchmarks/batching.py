"""What the batcher costs in CPU time: items through a network that does nothing."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence

from app.engine.batcher import Batcher
from app.telemetry.metrics import Metrics

ITEMS, TOGETHER, ROUNDS = 20_000, 64, 7


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{ITEMS} items, {TOGETHER} callers at a time, batches of 8, a network that does nothing; median of {ROUNDS}"
    yield f"awaiting a task alone           {statistics.median(_alone() for _ in range(ROUNDS)):6.2f} us an item"
    yield f"through the batcher             {statistics.median(_batched(False) for _ in range(ROUNDS)):6.2f} us an item"
    yield f"with metrics and a wait bound   {statistics.median(_batched(True) for _ in range(ROUNDS)):6.2f} us an item"


async def _nothing(items: Sequence[int]) -> Sequence[int]:
    return items


async def _echo(item: int) -> int:
    await asyncio.sleep(0)
    return item


def _alone() -> float:
    async def main() -> float:
        started = time.process_time()
        for _ in range(ITEMS // TOGETHER):
            await asyncio.gather(*(_echo(number) for number in range(TOGETHER)))
        return time.process_time() - started

    return 1e6 * asyncio.run(main()) / ITEMS


def _batched(full: bool) -> float:
    async def main() -> float:
        observer, wait = (Metrics().of_network("none"), 10.0) if full else (None, float("inf"))
        batcher = Batcher[int, int](_nothing, 8, 1000, max_wait_seconds=wait, observer=observer)
        batcher.start()
        started = time.process_time()
        for _ in range(ITEMS // TOGETHER):
            await asyncio.gather(*(batcher.submit(number) for number in range(TOGETHER)))
        seconds = time.process_time() - started
        await batcher.close()
        return seconds

    return 1e6 * asyncio.run(main()) / ITEMS
