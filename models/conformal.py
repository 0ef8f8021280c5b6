"""Intervals of ages that hold the true one as often as they say (conformalised quantile regression)."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fit_margin(probabilities: NDArray[np.floating], ages: NDArray[np.floating], level: float) -> float:
    """Years that must be added at both ends of a distribution's own intervals to make them hold the age often enough.

    Split conformal prediction on the intervals that the distributions claim themselves (Romano, Patterson and Candès
    2019): people like those here are in their interval with a probability of at least `level`, whatever the network.

    Args:
        probabilities: (N, K + 1) over ages 0 to K, of people whom the network was not trained on.
        ages: (N,) their ages in years.
        level: between 0 and 1.

    Returns:
        The margin; negative if the distributions are wider than they need to be.

    Raises:
        ValueError: there are too few people for the level.
    """
    count = len(ages)
    rank = _ceil((count + 1) * level)
    if rank > count:
        raise ValueError(f"an interval of level {level} needs at least {_ceil(level / (1 - level))} people")
    low, high = _central(np.asarray(probabilities, np.float64), level)
    outside = np.maximum(low - ages, ages - high)
    return float(np.sort(outside)[rank - 1])


def age_interval(probabilities: NDArray[np.floating], level: float, margin: float) -> tuple[Floats, Floats]:
    """Lower and upper end (N,) in years of the interval of each person, within 0 to K.

    Args:
        probabilities: (N, K + 1) over ages 0 to K.
        level: that the margin was fitted for.
        margin: from `fit_margin`.
    """
    low, high = _central(np.asarray(probabilities, np.float64), level)
    middle = (low + high) / 2
    oldest = probabilities.shape[1] - 1
    return np.clip(np.minimum(low - margin, middle), 0, oldest), np.clip(np.maximum(high + margin, middle), 0, oldest)


def _ceil(value: float) -> int:
    """The next whole number, where a whole number that is not quite exact counts as one."""
    return math.ceil(value - 1e-9)


def _central(probabilities: Floats, level: float) -> tuple[Floats, Floats]:
    """Ages (N,) below and above which (1 - level) / 2 of a distribution lie, interpolated within the year."""
    below = np.cumsum(probabilities, axis=1)
    tail = (1 - level) / 2
    return _quantile(below, tail), _quantile(below, 1 - tail)


def _quantile(below: Floats, share: float) -> Floats:
    index = np.minimum((below < share).sum(axis=1), below.shape[1] - 1)
    rows = np.arange(len(below))
    reached = below[rows, index]
    before = np.where(index > 0, below[rows, np.maximum(index - 1, 0)], 0.0)
    part = np.clip((share - before) / np.maximum(reached - before, 1e-12), 0, 1)
    # Age k is the year from k to k + 1, of which the middle is its whole number.
    return np.asarray(np.clip(index - 0.5 + part, 0, below.shape[1] - 1))
