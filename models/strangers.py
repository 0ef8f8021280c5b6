"""How close strangers come to the most similar of some people, and how seldom they come closer than any that were seen.

What is counted is not pairs but strangers: the most similar of several people at once, since those who look alike come
in groups; each stranger once, however many crops there are of them; and with a margin for how few people were seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

# A similarity of 1 is the same picture; no rate of false alarms has to ask for more.
HIGHEST_EVIDENCE = 0.9999
TAIL_SHARE = 0.2
TAIL_SHARE_OF_ONE = 0.05
GROWTH = 4
NOBODY = -1.0


@dataclass(frozen=True)
class Tail:
    """The largest evidence that a stranger reaches among so many people, where it is high.

    Beyond its start the distance to 1 falls as a power (Hill 1975): similarity ends at 1, and near its end the share of
    those who are closer follows from the number of directions in which people differ (Amsaleg et al. 2015).

    Attributes:
        identities: the evidence is the largest among so many people.
        start: evidence at which it begins.
        share: of strangers beyond the start, with one more stranger counted who always is, and one more to whom all
            come close: so the share of new strangers is no larger on average (conformal risk control, Angelopoulos et
            al. 2024, for either side).
        scale: mean of log((1 - start) / (1 - evidence)) beyond the start.
        people: of how many people, each as good as independent, the scale is the mean.
    """

    identities: int
    start: float
    share: float
    scale: float
    people: float

    def reached(self, evidence: float) -> float:
        """Share of strangers that reach an evidence; below the start no less than that of the start.

        The scale is uncertain. Averaged over what it can be (a gamma distribution of its inverse), the exponential fall
        becomes this slower one.
        """
        excess = np.log((1 - self.start) / (1 - min(max(evidence, self.start), HIGHEST_EVIDENCE))) / self.scale
        return float(self.share * np.exp(-self.people * np.log1p(excess / self.people)))

    def evidence(self, share: float) -> float:
        """What a share of strangers reaches; the start for more than its share."""
        if share >= self.share:
            return self.start
        excess = self.people * np.expm1(-np.log(share / self.share) / self.people)
        return float(1 - (1 - self.start) * np.exp(-excess * self.scale))

    def fpir(self, evidence: float, identities: int) -> float:
        """At most so many strangers reach this in a gallery of so many people; 1 below the start.

        More people than `identities` count as several galleries that are independent, which errs on the side of too
        many; fewer are part of one.
        """
        if evidence < self.start:
            return 1.0
        return independent(self.reached(evidence), max(identities / self.identities, 1))

    def threshold(self, target: float, identities: int) -> float:
        """The least evidence from the start on at which `fpir` is at most the target, or the least that it tells."""
        return self.evidence(each_of(target, max(identities / self.identities, 1)))


def independent(rate: float, times: float) -> float:
    """How often at least one of several happens, each of which happens at a rate."""
    return float(-np.expm1(times * np.log1p(-min(rate, 1 - 1e-12))))


def each_of(rate: float, times: float) -> float:
    """The rate of each of several, of which at least one happens at a rate."""
    return float(-np.expm1(np.log1p(-rate) / times))


def fit_tails(evidence: Floats, people: Ids, others: Ids) -> tuple[Tail, ...]:
    """The tails among 1, 4, 16, … and all people.

    Args:
        evidence: (Q, O) of each of Q crops with O other people.
        people: (Q,) whose crops they are.
        others: (Q, O) with whom each was compared.
    """
    count = evidence.shape[1]
    sizes = [size for size in GROWTH ** np.arange(16) if size < count] + [count]
    # The same for the same people, and in no order of theirs.
    order = np.argsort(np.random.default_rng(0).random(evidence.shape), axis=1)
    shuffled, with_whom = np.take_along_axis(evidence, order, 1), np.take_along_axis(others, order, 1)
    return tuple(_fit(int(size), shuffled, people, with_whom) for size in sizes)


def _fit(size: int, evidence: Floats, people: Ids, others: Ids) -> Tail:
    groups = evidence.shape[1] // size
    grouped = evidence[:, : groups * size].reshape(-1, size)
    top = np.argmax(grouped, axis=1)[:, None]
    closest = np.take_along_axis(others[:, : groups * size].reshape(-1, size), top, 1)[:, 0]
    best = np.take_along_axis(grouped, top, 1)[:, 0]
    second = np.partition(grouped, -2, axis=1)[:, -2] if size > 1 else np.full(len(best), NOBODY)
    numbers, who = np.unique(np.concatenate([np.repeat(people, groups), closest]), return_inverse=True)
    asking, closest = who[: len(best)], who[len(best) :]
    # Each person counts as one, however many crops there are.
    weight = 1 / np.bincount(asking, minlength=len(numbers))[asking]
    share = TAIL_SHARE if size > 1 else TAIL_SHARE_OF_ONE
    start = min(_upper_quantile(best, weight, share), 1 - 1e-3)
    excess, exceeding = _excess(best, start)
    scale, independent_people = _scale(
        np.stack([weight * excess, weight * exceeding]),
        np.stack([weight * part for part in _excess(second, start)]),
        asking,
        closest,
    )
    strangers = len(np.unique(asking))
    beyond = float((weight * exceeding).sum() / weight.sum())
    return Tail(size, start, min(1.0, (beyond * strangers + 2) / (strangers + 1)), scale, independent_people)


def _excess(evidence: Floats, start: float) -> tuple[Floats, Floats]:
    """Beyond the start: the logarithm of by how many times it is closer to 1, and whether it is."""
    return np.log((1 - start) / (1 - np.clip(evidence, start, HIGHEST_EVIDENCE))), (evidence > start).astype(np.float64)


def _scale(best: Floats, second: Floats, asking: Ids, closest: Ids) -> tuple[float, float]:
    """The mean excess, and of how many independent people it is the mean, by leaving each out in turn (jackknife).

    Whoever is left out neither asks nor is found: where they were the closest, the second closest takes their place.

    Args:
        best, second: (2, R) weighted excess and weight beyond the start, of the closest and of the second closest.
        asking, closest: (R,) numbers of people from 0.
    """
    count = int(max(asking.max(), closest.max())) + 1
    totals = best.sum(axis=1)
    mean = max(float(totals[0] / max(totals[1], 1e-12)), 1e-6)
    gone = [
        np.bincount(asking, b, count) + np.bincount(closest, b - s, count) for b, s in zip(best, second, strict=True)
    ]
    left = np.maximum(totals[:, None] - gone, 0)
    means = left[0] / np.maximum(left[1], 1e-12)
    variance = float((count - 1) / count * ((means - means.mean()) ** 2).sum())
    return mean, float(np.clip(mean**2 / max(variance, 1e-12), 1, 1e6))


def _upper_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The value that at most a share of the weight exceeds."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(below, 1 - share - 1e-12)), len(values) - 1)])


def as_tails(values: Sequence[dict[str, float]]) -> tuple[Tail, ...]:
    """Tails that were written down with their attributes as keys."""
    return tuple(Tail(**value | {"identities": int(value["identities"])}) for value in values)  # type: ignore[arg-type]
