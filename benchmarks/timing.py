"""Timing two ways of doing one thing, side by side."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Medians over the rounds, in seconds, and the median of the rounds' ratios."""

    a: float
    b: float
    ratio: float


def compare(
    a: Callable[[], object],
    b: Callable[[], object],
    rounds: int = 7,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time `a` and `b` in turns, A B A B …, because the machine's speed drifts; the ratio is a / b.

    Args:
        a, b: what to time; each is called once before, to warm up.
        rounds: turns.
        calls: calls of each in a turn.
        clock: what is read before and after a turn, in seconds.
    """
    a(), b()
    times = [(_seconds(a, calls, clock), _seconds(b, calls, clock)) for _ in range(rounds)]
    return Comparison(
        statistics.median(first for first, _ in times),
        statistics.median(second for _, second in times),
        statistics.median(first / second for first, second in times),
    )


def _seconds(call: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(calls):
        call()
    return (clock() - started) / calls
