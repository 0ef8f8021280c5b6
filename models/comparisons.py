"""Comparisons of people with each other, from embeddings of which it is known whom they show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Comparisons

Ids = NDArray[np.int64]

SEED = 0


@dataclass(frozen=True, eq=False)
class _Part:
    similarities: NDArray[np.floating]
    shots: Ids
    queries: Ids
    others: Ids
    genuine: bool


def compare_people(embeddings: NDArray[np.float32], identities: Ids, cameras: Ids) -> Comparisons:
    """Take each shot in turn for a query, and compare it with everyone.

    With the person themselves only shots of other cameras are compared, since neighbouring frames of one camera are
    alike whoever they show; where nobody was seen by two cameras, all other shots. An identity is compared by some of
    its shots, now few and now many, so that the discount for their number can be fitted.

    Args:
        embeddings: (N, D) unit rows.
        identities: (N,) whom they show.
        cameras: (N,) which camera took them.
    """
    rng = np.random.default_rng(SEED)
    names, owner = np.unique(identities, return_inverse=True)
    crossing = any(len(np.unique(cameras[owner == one])) > 1 for one in range(len(names)))
    # Of nobody there is nothing to compare.
    nothing = np.empty(0, np.int64)
    found = [_Part(np.empty(0), nothing, nothing, nothing, False)]
    for one in range(len(names)):
        mine = rng.permutation(np.flatnonzero(owner == one))
        similarities = embeddings @ embeddings[mine].T  # (N, mine)
        strangers = np.flatnonzero(owner != one)
        found.append(
            _Part(*_best_of_some(similarities[strangers], rng), strangers, np.full(len(strangers), one), False)
        )
        for query in mine:
            apart = cameras[mine] != cameras[query] if crossing else mine != query
            if apart.any():
                best = _best_of_some(similarities[query][None, apart], rng)
                found.append(_Part(*best, np.array([query]), np.array([one]), True))
    queries = np.concatenate([part.queries for part in found])
    return Comparisons(
        np.concatenate([part.similarities for part in found]).astype(np.float64),
        np.concatenate([part.shots for part in found]).astype(np.float64),
        np.concatenate([np.full(len(part.queries), part.genuine) for part in found]),
        queries,
        owner[queries],
        np.concatenate([part.others for part in found]),
        len(names),
    )


def _best_of_some(
    similarities: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """For each row the largest of the first 1, 2, 4, … or of all columns, and how many those were."""
    columns = similarities.shape[1]
    counts = np.unique(np.append(2 ** np.arange(int(np.log2(columns)) + 1), columns))
    chosen = rng.choice(counts, len(similarities))
    best = np.maximum.accumulate(similarities, axis=1)
    return best[np.arange(len(best)), chosen - 1], chosen
