"""Comparisons of people with each other, from embeddings of which it is known whom they show."""

import numpy as np
from numpy.typing import NDArray

from models.calibration import Comparisons

Ids = NDArray[np.int64]

SEED = 0


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
    found: list[tuple[NDArray[np.floating], NDArray[np.int64], bool]] = [(np.empty(0), np.empty(0, np.int64), False)]
    for one in range(len(names)):
        mine = rng.permutation(np.flatnonzero(owner == one))
        similarities = embeddings @ embeddings[mine].T  # (N, mine)
        others = owner != one
        found.append((*_best_of_some(similarities[others], rng), False))
        for query in mine:
            apart = cameras[mine] != cameras[query] if crossing else mine != query
            if apart.any():
                found.append((*_best_of_some(similarities[query][None, apart], rng), True))
    return Comparisons(
        np.concatenate([part[0] for part in found]).astype(np.float64),
        np.concatenate([part[1] for part in found]).astype(np.float64),
        np.concatenate([np.full(len(part[0]), part[2]) for part in found]),
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
