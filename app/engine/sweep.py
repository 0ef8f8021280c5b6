"""How many items to run together: tried when a network starts, which also warms it up."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

USUAL = 8
"""The size that is taken unless another is clearly faster; larger ones keep the next caller waiting."""
CLEARLY = 1.1
LONGEST_SECONDS = 0.2
"""Sizes beyond one that takes longer are not tried: a start should not."""
ROUNDS = 2

log = logging.getLogger("gaitkeeper")


async def fastest_size(
    run: Callable[[Sequence[Item]], Awaitable[Sequence[Any]]], item: Item, largest: int, name: str
) -> int:
    """Run batches of 1, 2, 4, … copies of an item, and find how many make the best one.

    Args:
        run: runs a batch.
        item: what a batch is made of.
        largest: size to try.
        name: of the network, for the log.
    """
    rates: dict[int, float] = {}

    async def try_size(size: int) -> float:
        seconds = min([await _seconds(run, [item] * size) for _ in range(ROUNDS)])
        rates[size] = max(rates.get(size, 0.0), size / seconds)
        return seconds

    size = 1
    while size <= largest and await try_size(size) <= LONGEST_SECONDS:
        size *= 2
    for _ in range(ROUNDS):
        # Whatever else ran on the machine meanwhile may have slowed the usual size only.
        if choose(rates) != USUAL:
            await try_size(USUAL)
            await try_size(choose(rates))
    chosen = choose(rates)
    tried = ", ".join(f"{size}: {rate:.0f}/s" for size, rate in rates.items())
    log.info("%s: at most %d together (%s)", name, chosen, tried)
    return chosen


def choose(rates: Mapping[int, float]) -> int:
    """The size to run: the usual one, unless it was tried and another does clearly more items a second."""
    best = max(rates, key=lambda size: rates[size])
    return best if USUAL in rates and rates[best] > CLEARLY * rates[USUAL] else USUAL


async def _seconds(run: Callable[[Sequence[Item]], Awaitable[Sequence[Any]]], items: Sequence[Item]) -> float:
    started = time.perf_counter()
    await run(items)
    return time.perf_counter() - started
