"""k-reciprocal re-ranking (Zhong et al. 2017) of a neighbourhood that is small enough to be compared with itself."""

import numpy as np
from numpy.typing import NDArray

from app.gallery.domain import Embeddings

Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]

MUTUAL = 20
AVERAGED = 6
ORIGINAL_WEIGHT = 0.3


def k_reciprocal_distances(queries: Embeddings, shots: Embeddings) -> Matrix:
    """Distances that know the neighbourhood: two crops are near if they are among each other's nearest.

    Args:
        queries: (Q, D) unit rows.
        shots: (N, D) unit rows; memory grows with (Q + N)².

    Returns:
        (Q, N), 0..1, smaller is closer: a mixture of the Jaccard distance of neighbourhoods and the original one.
    """
    rows = np.concatenate([queries, shots])
    distances = np.maximum(2 - 2 * (rows @ rows.T), 0).astype(np.float32)
    # Everyone is their own nearest, even among more doubles than a neighbourhood holds.
    np.fill_diagonal(distances, -1)
    nearest = np.argsort(distances, axis=1, kind="stable")
    np.fill_diagonal(distances, 0)
    scaled = distances / np.maximum(distances.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    weights = np.where(_neighbourhoods(nearest), np.exp(-scaled), np.float32(0))
    weights /= weights.sum(axis=1, keepdims=True)
    weights = weights[nearest[:, :AVERAGED]].mean(axis=1)
    jaccard = np.stack([_jaccard_distances(weights[query], weights) for query in range(len(queries))])
    mixed = (1 - ORIGINAL_WEIGHT) * jaccard + ORIGINAL_WEIGHT * scaled[: len(queries)]
    return np.asarray(mixed[:, len(queries) :], np.float32)


def _neighbourhoods(nearest: NDArray[np.int64]) -> Mask:
    """Mutual neighbours (N, N), with those of every neighbour that shares over two thirds of its own."""
    mutual, closely_mutual = _mutual(nearest, MUTUAL), _mutual(nearest, round(MUTUAL / 2))
    near, close = mutual.astype(np.float32), closely_mutual.astype(np.float32)
    shares = mutual & (3 * (near @ close.T) > 2 * close.sum(axis=1))
    return np.asarray(mutual | (shares.astype(np.float32) @ close > 0))


def _mutual(nearest: NDArray[np.int64], count: int) -> Mask:
    """Who is among the `count` nearest of whom, both ways; everyone is near themselves."""
    near = np.zeros(nearest.shape, bool)
    np.put_along_axis(near, nearest[:, : count + 1], values=True, axis=1)
    return near & near.T


def _jaccard_distances(one: Matrix, all_of_them: Matrix) -> Matrix:
    overlap = np.minimum(one, all_of_them).sum(axis=1)
    return np.asarray(1 - overlap / (2 - overlap))
