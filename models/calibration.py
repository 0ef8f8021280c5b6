"""Similarity to probability, and the similarity that a wanted rate of false alarms asks for.

A similarity is that of a query to an identity: to the most similar of its shots. With more shots a stranger comes
closer to 1, by the same factor for every doubling; without that factor it is called evidence here. Its odds bend
where the closest strangers begin: a straight line would be drawn by the many who are nowhere near, and say too little
of the few who are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.strangers import HIGHEST_EVIDENCE, Floats, Ids, Tail, as_tails, each_of, fit_tails, independent

ENROLLED = 0.5
"""How likely a person is to be enrolled at all, before looking at them."""

BEND_SHARE = 0.05
HIGHEST = 0.99
LEAST_HIGHEST = 5
LEAST_STRANGERS = 100
LEAST_GENUINE = 10
LEAST_IMPOSTOR = 100
CHANCE = 0.5
QUANTILES = np.linspace(0, 1, 41)


@dataclass(frozen=True)
class Calibration:
    """What evidence says, as a few numbers.

    Attributes:
        slope, tail_slope, intercept: of the logarithm of how many times likelier the evidence is from the same person
            than from another; the second slope comes on top of the first one beyond the bend.
        discount: of evidence: a stranger's distance to 1 falls with the number of shots to this power.
        bend: evidence that a twentieth of strangers reaches.
        tails: how close strangers come among 1, 4, 16, … and all of the people.
        genuine_quantiles, impostor_quantiles: evidence of same and of different people at equal steps from 0 to 1.
        equal_error_rate: where as many pairs of one person are missed as pairs of two are matched.
        genuine, impostors: how many of either it was fitted on.
        identities: of how many people.
        fitted_on: which people.
    """

    slope: float
    tail_slope: float
    intercept: float
    discount: float
    bend: float
    tails: tuple[Tail, ...]
    genuine_quantiles: tuple[float, ...]
    impostor_quantiles: tuple[float, ...]
    equal_error_rate: float
    genuine: int
    impostors: int
    identities: int
    fitted_on: str

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Calibration":
        """A calibration that was written down with its attributes as keys."""
        listed: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**listed | {"tails": as_tails(values["tails"])})

    def evidence(self, similarity: float, shots: int) -> float:
        """A similarity to an identity, discounted for how many shots it is the best of."""
        return 1 - (1 - similarity) * float(shots**self.discount)

    def evidence_of_each(self, similarities: Sequence[float], shots: Sequence[int]) -> Floats:
        """(K,) `evidence` of K identities."""
        found: Floats = 1 - (1 - np.array(similarities)) * np.array(shots, np.float64) ** self.discount
        return found

    def similarity(self, evidence: float, shots: int) -> float:
        """The similarity that this evidence was, at most 1."""
        return min(1.0, 1 - (1 - evidence) / float(shots**self.discount))

    def log_odds(self, evidence: Floats) -> Floats:
        """(K,) how many times likelier the same person is to give each evidence, as natural logarithms."""
        beyond = np.maximum(evidence - self.bend, 0)
        return np.clip(self.slope * evidence + self.tail_slope * beyond + self.intercept, -50, 50)

    def probability(self, evidence: float) -> float:
        """That it is the same person, if as many pairs show one person as two."""
        return float(_sigmoid(self.log_odds(np.array([evidence])))[0])

    def probabilities(self, evidence: Floats, identities: int, judged: int) -> Floats:
        """(K,) that each of K identities of a gallery is the person.

        Everyone is as likely as any other to be the person beforehand, all of them together `ENROLLED`. The first
        `judged`, the best, are judged by their evidence; everyone else, whether among the K or not, counts as if they
        came with the weakest evidence of these, or with none. What the judged leave is that the person is nobody of
        them.
        """
        if not len(evidence):
            return np.empty(0)
        ratios = np.exp(self.log_odds(evidence)) * ENROLLED / identities
        other = min(ratios[:judged].min(), ENROLLED / identities)
        ratios[judged:] = np.minimum(ratios[judged:], other)
        shares: Floats = ratios / (1 - ENROLLED + ratios[:judged].sum() + (identities - judged) * other)
        return shares

    def false_match_rate(self, evidence: float) -> float:
        """Share of strangers whose evidence with one person reaches this."""
        beyond = self.tails[0].reached(evidence)
        if evidence >= self.tails[0].start:
            return beyond
        return max(beyond, 1 - float(np.interp(evidence, self.impostor_quantiles, QUANTILES)))

    def false_non_match_rate(self, evidence: float) -> float:
        """Share of people themselves whose evidence stays below this."""
        return float(np.interp(evidence, self.genuine_quantiles, QUANTILES))

    def fpir(self, evidence: float, identities: int) -> float:
        """False positive identification rate: how often somebody in a gallery of this size reaches this for a stranger.

        An estimate from the strangers it was fitted on, made to err on the side of too many: each tail's is too large
        rather than too small, so the least of them is taken.
        """
        pairs = independent(self.false_match_rate(evidence), identities)
        return min(pairs, *(tail.fpir(evidence, identities) for tail in self.tails))

    def threshold(self, target_fpir: float, identities: int) -> float:
        """The least evidence at which `fpir` is no more than the target.

        Raises:
            ValueError: the target is not between 0 and 1.
        """
        if not 0 < target_fpir < 1:
            raise ValueError(f"a false positive identification rate is between 0 and 1, not {target_fpir}")
        size = max(identities, 1)
        pairs = self.false_match_quantile(each_of(target_fpir, size))
        return min(HIGHEST_EVIDENCE, pairs, *(tail.threshold(target_fpir, size) for tail in self.tails))

    def false_match_quantile(self, rate: float) -> float:
        """The evidence that a share of strangers reaches with one person, 0 < rate < 1."""
        beyond = self.tails[0].evidence(rate)
        if rate < self.tails[0].share:
            return beyond
        return min(beyond, float(np.interp(1 - rate, QUANTILES, self.impostor_quantiles)))


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Similarities of queries to identities; every query is compared with as many other people.

    Attributes:
        similarities: (N,) of the query to the identity's most similar shot.
        shots: (N,) how many shots that was the best of.
        genuine: (N,) bool, whether the identity is the person.
        queries: (N,) a number for each query.
        people: (N,) a number for whose query it is.
        others: (N,) a number for whom it is compared with.
        identities: of how many people; 0 where nobody said.
    """

    similarities: Floats
    shots: Floats
    genuine: NDArray[np.bool_]
    queries: Ids
    people: Ids
    others: Ids
    identities: int

    @classmethod
    def of_pairs(cls, similarities: Floats, genuine: NDArray[np.bool_]) -> "Comparisons":
        """Pairs of shots, (N,) each, that share no people as far as is known."""
        numbers = np.arange(len(similarities))
        return cls(similarities, np.ones(len(numbers)), genuine, numbers, numbers, numbers + len(numbers), 0)


class IndistinctPeopleError(ValueError):
    """Comparisons of one person are no more similar than those of two: nothing can be told by them."""


def fit_calibration(comparisons: Comparisons, fitted_on: str) -> Calibration:
    """Fit a calibration: a logistic regression that counts same and different people alike, and tails of strangers.

    Raises:
        IndistinctPeopleError: the same people are no more similar than different ones.
        ValueError: there are too few comparisons of same or of different people.
    """
    genuine = comparisons.genuine
    counts = int(genuine.sum()), int((~genuine).sum())
    if counts[0] < LEAST_GENUINE or counts[1] < LEAST_IMPOSTOR:
        raise ValueError(
            f"a calibration needs {LEAST_GENUINE} comparisons of the same person and {LEAST_IMPOSTOR} of different"
            f" people; there are {counts[0]} and {counts[1]}"
        )
    discount = _discount(comparisons)
    evidence = 1 - (1 - comparisons.similarities) * comparisons.shots**discount
    equal_error_rate = _equal_error_rate(evidence[genuine], evidence[~genuine])
    if equal_error_rate >= CHANCE:
        raise IndistinctPeopleError(
            f"comparisons of one person are no more similar than those of two: the equal error rate is"
            f" {equal_error_rate:.2f}, and has to be below {CHANCE}"
        )
    bend = float(np.quantile(evidence[~genuine], 1 - BEND_SHARE))
    slope, tail_slope, intercept = _logistic(np.stack([evidence, np.maximum(evidence - bend, 0)], 1), genuine)
    # A higher similarity never speaks against.
    slope = max(slope, 0.0)
    return Calibration(
        float(slope),
        float(max(tail_slope, -slope)),
        float(intercept),
        discount,
        bend,
        _tails(comparisons, evidence),
        _quantiles(evidence[genuine]),
        _quantiles(evidence[~genuine]),
        equal_error_rate,
        *counts,
        comparisons.identities,
        fitted_on,
    )


def _discount(comparisons: Comparisons) -> float:
    """The power of the number of shots by which the closest strangers come closer: a line through their percentiles.

    With few comparisons it is through the fifth highest of the rarest number of shots.
    """
    strangers = comparisons.similarities[~comparisons.genuine]
    shots = comparisons.shots[~comparisons.genuine]
    counts = [count for count in np.unique(shots) if (shots == count).sum() >= LEAST_STRANGERS]
    if len(counts) < 2:
        return 0.0
    level = min(HIGHEST, 1 - LEAST_HIGHEST / min((shots == count).sum() for count in counts))
    highest = [np.quantile(strangers[shots == count], level) for count in counts]
    return max(0.0, -float(np.polyfit(np.log(counts), np.log(np.maximum(1 - np.array(highest), 1e-6)), 1)[0]))


def _logistic(features: Floats, genuine: NDArray[np.bool_]) -> Floats:
    """Coefficients (F + 1,), the constant last, by Newton's method; a whisper of ridge keeps separable data finite."""
    centre, spread = features.mean(0), np.maximum(features.std(0), 1e-9)
    design = np.column_stack([(features - centre) / spread, np.ones(len(features))])
    weights = np.where(genuine, 0.5 / genuine.sum(), 0.5 / (~genuine).sum())
    ridge = np.diag([1e-3] * features.shape[1] + [0.0])
    found = np.zeros(design.shape[1])
    for _ in range(50):
        predicted = _sigmoid(design @ found)
        gradient = design.T @ (weights * (predicted - genuine)) + ridge @ found
        curvature = design.T @ (design * (weights * predicted * (1 - predicted))[:, None]) + ridge
        step = np.linalg.solve(curvature + 1e-12 * np.eye(len(found)), gradient)
        found -= step
        if np.abs(step).max() < 1e-9:
            break
    slopes = found[:-1] / spread
    return np.append(slopes, found[-1] - slopes @ centre)


def _tails(comparisons: Comparisons, evidence: Floats) -> tuple[Tail, ...]:
    strangers = np.flatnonzero(~comparisons.genuine)
    strangers = strangers[np.argsort(comparisons.queries[strangers], kind="stable")]
    table = strangers.reshape(len(np.unique(comparisons.queries[strangers])), -1)
    return fit_tails(evidence[table], comparisons.people[table[:, 0]], comparisons.others[table])


def _quantiles(evidence: Floats) -> tuple[float, ...]:
    return tuple(np.quantile(evidence, QUANTILES).tolist())


def _equal_error_rate(genuine: Floats, impostors: Floats) -> float:
    thresholds = np.sort(np.concatenate([genuine, impostors]))
    missed = np.searchsorted(np.sort(genuine), thresholds) / len(genuine)
    matched = 1 - np.searchsorted(np.sort(impostors), thresholds) / len(impostors)
    at = int(np.argmin(np.abs(missed - matched)))
    return float((missed[at] + matched[at]) / 2)


def _sigmoid(values: Floats) -> Floats:
    logistic: Floats = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return logistic
