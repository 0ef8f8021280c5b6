"""Open-set identification: how often strangers are taken for somebody, and whether probabilities are true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration, fit_calibration
from models.comparisons import compare_people

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS = 10
# Among so many a query's probabilities are shared.
RANKED = 10
TARGETS = (0.001, 0.01, 0.1)
RESAMPLED = 1000


@dataclass(frozen=True, eq=False)
class People:
    """Embeddings (N, D) with who they show and which camera took them."""

    embeddings: NDArray[np.float32]
    identities: Ids
    cameras: Ids

    def subset(self, chosen: Flags) -> "People":
        """Those that are chosen (N,)."""
        return People(self.embeddings[chosen], self.identities[chosen], self.cameras[chosen])


@dataclass(frozen=True, eq=False)
class Searches:
    """What Q queries found.

    Attributes:
        evidence: (Q,) of the most similar identity, as the calibration counts it.
        probability: (Q,) that this is the person.
        right: (Q,) whether it is.
        enrolled: (Q,) whether the person is in the gallery.
        people: (Q,) who it is.
        reached: (Q, T) whether the evidence reaches the calibration's threshold for each of `TARGETS`.
        identities: in the gallery.
    """

    evidence: Floats
    probability: Floats
    right: Flags
    enrolled: Flags
    people: Ids
    reached: Flags
    identities: int


@dataclass(frozen=True)
class Rates:
    """At one threshold: detection and identification rate of the enrolled, false positives of the others."""

    dir: float
    fpir: float


def search_half(
    query: People,
    gallery: People,
    calibration: Calibration | None,
    seed: int,
    shots: int | None = None,
    same_camera: bool = False,
) -> Searches:
    """Enrol half of the people, drawn by chance, and look for everybody.

    Shots of the query's person by the query's camera are left out, as in the Market-1501 protocol; so are queries of
    enrolled people of whom nothing is left.

    Args:
        query, gallery: of the same people.
        calibration: of the checkpoint; None fits one on the shots that are enrolled.
        seed: of the draw.
        shots: to enrol of each at most, drawn by chance; all if not given.
        same_camera: leave no shots out.

    Raises:
        ValueError: there are too few shots to fit a calibration.
    """
    names = np.unique(gallery.identities)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(names)[: len(names) // 2]
    enrolled = gallery.subset(np.isin(gallery.identities, chosen))
    if shots is not None:
        enrolled = _some(enrolled, shots, rng)
    if calibration is None:
        compared = compare_people(enrolled.embeddings, enrolled.identities, enrolled.cameras)
        calibration = fit_calibration(compared, "the gallery's own shots")
    similarities = query.embeddings @ enrolled.embeddings.T
    if not same_camera:
        known = query.identities[:, None] == enrolled.identities
        similarities[known & (query.cameras[:, None] == enrolled.cameras)] = -np.inf
    best = np.stack([similarities[:, enrolled.identities == name].max(axis=1) for name in chosen], axis=1)
    counts = np.stack(
        [np.isfinite(similarities[:, enrolled.identities == name]).sum(axis=1) for name in chosen], axis=1
    )
    found = [_search(best[row], counts[row], calibration) for row in range(len(best))]
    places = np.array([place for place, _, _ in found])
    is_enrolled = np.isin(query.identities, chosen)
    mine = np.searchsorted(np.sort(chosen), query.identities)
    own = np.take_along_axis(best[:, np.argsort(chosen)], np.minimum(mine, len(chosen) - 1)[:, None], 1)[:, 0]
    kept = ~is_enrolled | np.isfinite(own)
    evidence = np.array([evidence for _, evidence, _ in found])[kept]
    thresholds = np.array([calibration.threshold(target, len(chosen)) for target in TARGETS])
    return Searches(
        evidence,
        np.array([probability for _, _, probability in found])[kept],
        (chosen[places] == query.identities)[kept],
        is_enrolled[kept],
        query.identities[kept],
        evidence[:, None] >= thresholds,
        len(chosen),
    )


def _some(people: People, shots: int, rng: np.random.Generator) -> People:
    order = rng.permutation(len(people.identities))
    kept = [order[people.identities[order] == one][:shots] for one in np.unique(people.identities)]
    return people.subset(np.isin(np.arange(len(order)), np.concatenate(kept)))


def _search(best: NDArray[np.floating], counts: Ids, calibration: Calibration) -> tuple[int, float, float]:
    order = [int(place) for place in np.argsort(-best, kind="stable") if np.isfinite(best[place])]
    evidence = np.array([calibration.evidence(float(best[p]), int(counts[p])) for p in order[:RANKED]])
    probabilities = calibration.probabilities(evidence, len(order), len(evidence))
    return order[0], float(evidence[0]), float(probabilities[0])


def joined(searches: Sequence[Searches]) -> Searches:
    """Several draws as one, all with as many identities."""
    return Searches(
        np.concatenate([one.evidence for one in searches]),
        np.concatenate([one.probability for one in searches]),
        np.concatenate([one.right for one in searches]),
        np.concatenate([one.enrolled for one in searches]),
        np.concatenate([one.people for one in searches]),
        np.concatenate([one.reached for one in searches]),
        searches[0].identities,
    )


def rates_at(searches: Searches, threshold: float) -> Rates:
    """Rates of a threshold on the evidence."""
    return _rates(searches, searches.evidence >= threshold)


def _rates(searches: Searches, reached: Flags) -> Rates:
    return Rates(float((reached & searches.right)[searches.enrolled].mean()), float(reached[~searches.enrolled].mean()))


def dir_at_fpir(searches: Searches, fpir: float) -> float:
    """Detection and identification rate at the threshold that so many of the strangers here reach."""
    return rates_at(searches, float(np.quantile(searches.evidence[~searches.enrolled], 1 - fpir, method="higher"))).dir


def fpir_interval(searches: Searches, reached: Flags, level: float = 0.95) -> tuple[float, float]:
    """Where the false positive identification rate lies for all strangers like those here: a bootstrap over people.

    Args:
        searches: what was found.
        reached: (Q,) whose evidence reached the threshold.
        level: of confidence.
    """
    strangers = ~searches.enrolled
    _, who = np.unique(searches.people[strangers], return_inverse=True)
    named, asked = np.bincount(who, reached[strangers]), np.bincount(who)
    drawn = np.random.default_rng(0).integers(0, len(asked), (RESAMPLED, len(asked)))
    rates = named[drawn].sum(axis=1) / asked[drawn].sum(axis=1)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def dir_curve(searches: Searches, rates: Floats) -> Floats:
    """(N,) `dir_at_fpir` at each of N rates."""
    return np.array([dir_at_fpir(searches, float(rate)) for rate in rates])


def reliability(searches: Searches) -> list[tuple[float, float, int]]:
    """For each tenth of the probabilities: the mean one, the share that was right, and how many there are."""
    bins = np.minimum((searches.probability * BINS).astype(int), BINS - 1)
    return [
        (
            float(searches.probability[bins == at].mean()),
            float(searches.right[bins == at].mean()),
            int((bins == at).sum()),
        )
        for at in range(BINS)
        if (bins == at).any()
    ]


def expected_calibration_error(searches: Searches) -> float:
    """Mean distance of the probability from the truth, over tenths of the probabilities (Naeini et al. 2015)."""
    total = len(searches.probability)
    return sum(count * abs(said - true) for said, true, count in reliability(searches)) / total


def open_set_figures(searches: Searches) -> Mapping[str, float]:
    """The row of the table: rates at the threshold of the data, and at those that the calibration chooses."""
    row: dict[str, float] = {
        "queries": len(searches.right),
        "enrolled": searches.identities,
        "strangers": len(np.unique(searches.people[~searches.enrolled])),
        "rank_1": float(searches.right[searches.enrolled].mean()),
        "DIR@1%": dir_at_fpir(searches, 0.01),
        "DIR@10%": dir_at_fpir(searches, 0.1),
    }
    for column, target in enumerate(TARGETS):
        reached = searches.reached[:, column]
        chosen, (low, high) = _rates(searches, reached), fpir_interval(searches, reached)
        name = f"(target {100 * target:g}%)"
        row |= {f"FPIR{name}": chosen.fpir, f"low{name}": low, f"high{name}": high, f"DIR{name}": chosen.dir}
    return row | {"ECE": expected_calibration_error(searches)}
