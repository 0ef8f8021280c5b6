"""Similarity to probability, and the similarity that a wanted rate of false alarms asks for.

A similarity is that of a query to an identity: to the most similar of its shots. With more shots a stranger comes
closer, so every doubling of them costs a fixed discount; what remains is called evidence here. Its odds bend where the
tail of strangers begins: a straight line would be drawn by the many who are nowhere near, and say too little of the few
who are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ENROLLED = 0.5
"""How likely a person is to be enrolled at all, before looking at them."""

TAIL_SHARE = 0.05
LEAST_TAIL = 20
HIGHEST = 0.99
LEAST_STRANGERS = 500
LEAST_GENUINE = 10
LEAST_IMPOSTOR = 100
QUANTILES = np.linspace(0, 1, 41)
# A similarity of 1 is the same picture; no rate of false alarms has to ask for more.
HIGHEST_EVIDENCE = 0.9999


@dataclass(frozen=True)
class Calibration:
    """What evidence says, as a few numbers.

    Attributes:
        slope, tail_slope, intercept: of the logarithm of how many times likelier the evidence is from the same person
            than from another; the second slope comes on top of the first one beyond the start of the tail.
        discount: similarity that a doubling of the identity's shots is worth to a stranger.
        tail_start, tail_share, tail_scale, tail_shape: the generalised Pareto tail of evidence from strangers (Pickands
            1975): the share of them beyond its start, and how it falls.
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
    tail_start: float
    tail_share: float
    tail_scale: float
    tail_shape: float
    genuine_quantiles: tuple[float, ...]
    impostor_quantiles: tuple[float, ...]
    equal_error_rate: float
    genuine: int
    impostors: int
    identities: int
    fitted_on: str

    def evidence(self, similarity: float, shots: int) -> float:
        """A similarity to an identity, discounted for how many shots it is the best of."""
        return similarity - self.discount * float(np.log2(shots))

    def similarity(self, evidence: float, shots: int) -> float:
        """The similarity that this evidence was, at most 1."""
        return min(1.0, evidence + self.discount * float(np.log2(shots)))

    def log_odds(self, evidence: Floats) -> Floats:
        """(K,) how many times likelier the same person is to give each evidence, as natural logarithms."""
        beyond = np.maximum(evidence - self.tail_start, 0)
        return np.clip(self.slope * evidence + self.tail_slope * beyond + self.intercept, -50, 50)

    def probability(self, evidence: float) -> float:
        """That it is the same person, if as many pairs show one person as two."""
        return float(_sigmoid(self.log_odds(np.array([evidence])))[0])

    def probabilities(self, evidence: Floats, identities: int) -> Floats:
        """(K,) that each of the K best identities of a gallery is the person; the rest is that none is.

        Everyone is as likely as any other to be the person beforehand, all of them together `ENROLLED`. Those who are
        not among the best count as if they came with the weakest evidence of those who are, or with none.
        """
        if not len(evidence):
            return np.empty(0)
        ratios = np.exp(self.log_odds(evidence)) * ENROLLED / identities
        others = (identities - len(evidence)) * min(ratios.min(), ENROLLED / identities)
        shares: Floats = ratios / (1 - ENROLLED + ratios.sum() + others)
        return shares

    def false_match_rate(self, evidence: float) -> float:
        """Share of strangers whose evidence reaches this."""
        excess = evidence - self.tail_start
        if excess >= 0:
            return float(self.tail_share * _survival(excess / self.tail_scale, self.tail_shape))
        return 1 - float(np.interp(evidence, self.impostor_quantiles, QUANTILES))

    def false_non_match_rate(self, evidence: float) -> float:
        """Share of people themselves whose evidence stays below this."""
        return float(np.interp(evidence, self.genuine_quantiles, QUANTILES))

    def fpir(self, evidence: float, identities: int) -> float:
        """False positive identification rate: how often somebody in a gallery of this size reaches this for a stranger.

        The identities count as independent, which errs on the side of too many.
        """
        return float(-np.expm1(identities * np.log1p(-min(self.false_match_rate(evidence), 1 - 1e-12))))

    def threshold(self, target_fpir: float, identities: int) -> float:
        """The evidence at which `fpir` is the target.

        Raises:
            ValueError: the target is not between 0 and 1.
        """
        if not 0 < target_fpir < 1:
            raise ValueError(f"a false positive identification rate is between 0 and 1, not {target_fpir}")
        rate = -float(np.expm1(np.log1p(-target_fpir) / max(identities, 1)))
        return min(HIGHEST_EVIDENCE, self.false_match_quantile(rate))

    def false_match_quantile(self, rate: float) -> float:
        """The evidence that a share of strangers reaches, 0 < rate < 1."""
        if rate >= self.tail_share:
            return float(np.interp(1 - rate, QUANTILES, self.impostor_quantiles))
        return self.tail_start + self.tail_scale * _inverse_survival(rate / self.tail_share, self.tail_shape)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Similarities of queries to identities.

    Attributes:
        similarities: (N,) of the query to the identity's most similar shot.
        shots: (N,) how many shots that was the best of.
        genuine: (N,) bool, whether the identity is the person.
        identities: of how many people.
    """

    similarities: Floats
    shots: Floats
    genuine: NDArray[np.bool_]
    identities: int


def fit_calibration(comparisons: Comparisons, fitted_on: str) -> Calibration:
    """Fit a calibration: a logistic regression that counts same and different people alike, and a tail.

    Raises:
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
    evidence = comparisons.similarities - discount * np.log2(comparisons.shots)
    tail = _tail(evidence[~genuine])
    slope, tail_slope, intercept = _logistic(np.stack([evidence, np.maximum(evidence - tail[0], 0)], 1), genuine)
    # A higher similarity never speaks against.
    slope = max(slope, 0.0)
    return Calibration(
        float(slope),
        float(max(tail_slope, -slope)),
        float(intercept),
        discount,
        *tail,
        _quantiles(evidence[genuine]),
        _quantiles(evidence[~genuine]),
        _equal_error_rate(evidence[genuine], evidence[~genuine]),
        *counts,
        comparisons.identities,
        fitted_on,
    )


def _discount(comparisons: Comparisons) -> float:
    """How much higher the best strangers come with every doubling of shots: a line through their highest percentile."""
    strangers = comparisons.similarities[~comparisons.genuine]
    shots = comparisons.shots[~comparisons.genuine]
    counts = [count for count in np.unique(shots) if (shots == count).sum() >= LEAST_STRANGERS]
    if len(counts) < 2:
        return 0.0
    highest = [np.quantile(strangers[shots == count], HIGHEST) for count in counts]
    return max(0.0, float(np.polyfit(np.log2(counts), highest, 1)[0]))


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


def _tail(evidence: Floats) -> tuple[float, float, float, float]:
    """Start, share, scale and shape of the upper tail, by the moments of what exceeds its start (Hosking 1987)."""
    count = min(len(evidence) // 2, max(LEAST_TAIL, round(TAIL_SHARE * len(evidence))))
    ordered = np.sort(evidence)
    start = float(ordered[-count - 1])
    excess = ordered[-count:] - start
    mean, variance = max(float(excess.mean()), 1e-6), max(float(excess.var()), 1e-12)
    # Similarity is bounded, so the tail never falls slower than an exponential.
    shape = min(0.0, max(-0.5, 0.5 * (1 - mean**2 / variance)))
    return start, count / len(evidence), mean * (1 - shape), shape


def _quantiles(evidence: Floats) -> tuple[float, ...]:
    return tuple(np.quantile(evidence, QUANTILES).tolist())


def _equal_error_rate(genuine: Floats, impostors: Floats) -> float:
    thresholds = np.sort(np.concatenate([genuine, impostors]))
    missed = np.searchsorted(np.sort(genuine), thresholds) / len(genuine)
    matched = 1 - np.searchsorted(np.sort(impostors), thresholds) / len(impostors)
    at = int(np.argmin(np.abs(missed - matched)))
    return float((missed[at] + matched[at]) / 2)


def _survival(scaled: float, shape: float) -> float:
    if shape == 0:
        return float(np.exp(-scaled))
    return float(max(0.0, 1 + shape * scaled) ** (-1 / shape))


def _inverse_survival(share: float, shape: float) -> float:
    return float(-np.log(share)) if shape == 0 else float((share**-shape - 1) / shape)


def _sigmoid(values: Floats) -> Floats:
    logistic: Floats = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return logistic
