"""From a network's answers to an age with its distribution and interval."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import Interval
from models.conformal import age_interval
from models.ordinal import ordinal_distribution

GENDERS = ("female", "male")
"""The order of the gender head's answers, which is that of OULP-Age's labels."""


@dataclass(frozen=True)
class AgeInterval:
    """The interval in years that holds the true age as often as its level says, among people like those of the fit."""

    level: float
    low: float
    high: float


@dataclass(frozen=True)
class AgeEstimate:
    """How old a walker may be.

    Attributes:
        probabilities: (K + 1,) float64, of the ages 0 to K; they add up to 1.
        median, mean: of them, in years.
        interval: None if the checkpoint has none.
        gender: probabilities of "female" and "male"; None if the network has not learnt to tell.
    """

    probabilities: NDArray[np.float64]
    median: float
    mean: float
    interval: AgeInterval | None
    gender: dict[str, float] | None

    @property
    def reaches_an_end(self) -> bool:
        """Whether the interval, or without one the median, reaches the youngest or the oldest age there is."""
        oldest = len(self.probabilities) - 1
        low, high = (self.interval.low, self.interval.high) if self.interval else (self.median, self.median)
        return low <= 0 or high >= oldest


def age_estimate(age_logits: Tensor, gender_logits: Tensor | None, interval: Interval | None) -> AgeEstimate:
    """Read the answers about one walker.

    The answers to "older than k?" are sorted until they fall with k (`models.ordinal`), and the probability of an age
    is the step between two of them.

    Args:
        age_logits: (K,).
        gender_logits: (2,) in the order of `GENDERS`; None if they mean nothing.
        interval: of the checkpoint.
    """
    probabilities = ordinal_distribution(age_logits.double()[None]).numpy()
    ages = np.arange(probabilities.shape[1])
    median = float(np.searchsorted(np.cumsum(probabilities[0]), 0.5))
    held = None
    if interval is not None:
        low, high = age_interval(probabilities, interval.level, interval.margin)
        held = AgeInterval(interval.level, float(low[0]), float(high[0]))
    gender = None
    if gender_logits is not None:
        gender = dict(zip(GENDERS, torch.softmax(gender_logits.double(), 0).tolist(), strict=True))
    return AgeEstimate(probabilities[0], median, float(probabilities[0] @ ages), held, gender)
