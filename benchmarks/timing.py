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


def compare(a: Callable[[], object], b: Callable[[], object], rounds: int = 7, calls: int = 1) -> Comparison:
    """Time `a` and `b` in turns, A B A B …, because the machine's speed drifts; the ratio is a / b.

    Args:
        a, b: what to time; each is called once before, to warm up.
        rounds: turns.
        calls: calls of each in a turn.
    """
    a(), b()
    times = [(_seconds(a, calls), _seconds(b, calls)) for _ in range(rounds)]
    return Comparison(
        statistics.median(first for first, _ in times),
        statistics.median(second for _, second in times),
        statistics.median(first / second for first, second in times),
    )


def _seconds(call: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls
