"""Distributions of ages for tests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def bells(
    means: Sequence[float] | NDArray[np.float64], spreads: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bell-shaped distributions (N, 91) over ages 0 to 90."""
    z = (np.arange(91) - np.asarray(means)[:, None]) / np.asarray(spreads)[:, None]
    weights = np.exp(-(z**2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
