"""k-reciprocal re-ranking (Zhong et al. 2017): rank by shared neighbours as well as by distance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import squared_l2

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def k_reciprocal_distances(
    query: NDArray[np.floating], gallery: NDArray[np.floating], k1: int = 20, k2: int = 6, original_weight: float = 0.3
) -> FloatArray:
    """Distances after re-ranking: a mixture of the Jaccard distance of neighbourhoods and the original distance.

    Two images are near when they are among each other's `k1` nearest, of queries and gallery together. Nothing of the
    size (queries + gallery)² is ever held; memory grows with queries x gallery.

    Args:
        query: (Q, D) features; the squared Euclidean distance is what is refined.
        gallery: (G, D) features.
        k1: neighbours that must be mutual.
        k2: neighbours whose neighbourhoods are averaged.
        original_weight: share of the original distance, scaled to 0..1; lambda in the paper.

    Returns:
        (Q, G), smaller is closer.

    Raises:
        ValueError: `k1` or `k2` is not positive.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k1 and k2 are positive, not {k1} and {k2}")
    features = np.concatenate((query, gallery)).astype(np.float32)
    neighbours = _nearest(features, max(k1 + 1, k2))
    memberships = _Sparse.from_rows(_memberships(features, neighbours, k1), len(features))
    if k2 > 1:
        memberships = _Sparse.from_rows(_averaged(memberships, neighbours[:, :k2]), len(features))
    jaccard = _jaccard_distances(memberships, len(query))
    mixed = (1 - original_weight) * jaccard + original_weight * _scaled_distances(features, 0, len(query))
    return np.asarray(mixed[:, len(query) :], np.float32)


@dataclass(frozen=True)
class _Sparse:
    """A square matrix as its non-zero entries, row after row (CSR)."""

    starts: IntArray  # (N + 1,)
    columns: IntArray
    values: FloatArray

    @classmethod
    def from_rows(cls, blocks: Iterator[FloatArray], size: int) -> "_Sparse":
        counts, columns, values = [np.zeros(1, np.int64)], [], []
        for block in blocks:  # (b, N), dense
            row, column = np.nonzero(block)
            counts.append(np.bincount(row, minlength=len(block)))
            columns.append(column)
            values.append(block[row, column])
        starts = np.cumsum(np.concatenate(counts))
        assert len(starts) == size + 1
        return cls(starts, np.concatenate(columns), np.concatenate(values))

    def entries(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Positions of all entries of these rows, and for each the position of its row in `rows`."""
        counts = self.starts[rows + 1] - self.starts[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.starts[rows][owner] + within, owner

    def transposed(self) -> "_Sparse":
        rows = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        order = np.argsort(self.columns, kind="stable")
        counts = np.bincount(self.columns, minlength=len(self.starts) - 1)
        return _Sparse(np.concatenate(([0], np.cumsum(counts))), rows[order], self.values[order])


def _blocks(count: int, length: int = 512) -> Iterator[tuple[int, int]]:
    return ((start, min(start + length, count)) for start in range(0, count, length))


def _squared_distances(features: FloatArray, start: int, end: int) -> FloatArray:
    distances = squared_l2(features[start:end], features)
    distances[np.arange(end - start), np.arange(start, end)] = 0
    return np.asarray(distances, np.float32)


def _scaled_distances(features: FloatArray, start: int, end: int) -> FloatArray:
    """Squared distances of some rows to all, each row divided by its largest."""
    distances = _squared_distances(features, start, end)
    largest = np.maximum(distances.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(distances / largest)


def _nearest(features: FloatArray, count: int) -> IntArray:
    """Each row's nearest rows, itself included, nearest first and lower index first among equals: (N, count)."""
    last, rows = min(count, len(features)) - 1, []
    for start, end in _blocks(len(features)):
        distances = _squared_distances(features, start, end)
        near = np.sort(np.argpartition(distances, last, axis=1)[:, : last + 1], axis=1)
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        rows.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(rows)


def _reciprocal(neighbours: IntArray) -> NDArray[np.bool_]:
    """Which of its neighbours (N, k) have the row among theirs."""
    mine = np.arange(len(neighbours))[:, None, None]
    return np.asarray((neighbours[neighbours] == mine).any(axis=2))


def _memberships(features: FloatArray, neighbours: IntArray, k1: int) -> Iterator[FloatArray]:
    """Rows of how strongly each image belongs to each one's neighbourhood; every row adds up to 1."""
    near, nearest = neighbours[:, : k1 + 1], neighbours[:, : round(k1 / 2) + 1]
    is_mutual, is_closely_mutual = _reciprocal(near), _reciprocal(nearest)
    for start, end in _blocks(len(features)):
        member = _expanded(near[start:end], is_mutual[start:end], nearest, is_closely_mutual)
        weights = np.where(member, np.exp(-_scaled_distances(features, start, end)), np.float32(0))
        yield weights / weights.sum(axis=1, keepdims=True)


def _expanded(
    near: IntArray, is_mutual: NDArray[np.bool_], nearest: IntArray, is_closely_mutual: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mutual neighbours (b, N) of some rows, with those of every neighbour that shares over two thirds of its own."""
    rows = np.arange(len(near))
    mutual = np.zeros((len(near), len(nearest)), bool)
    mutual[rows[:, None], near] = is_mutual
    theirs, counts = nearest[near], is_closely_mutual[near]  # (b, k1 + 1, half + 1)
    shared = (mutual[rows[:, None, None], theirs] & counts).sum(axis=2)
    accepted = is_mutual & (3 * shared > 2 * counts.sum(axis=2))
    row, slot, entry = np.nonzero(counts & accepted[..., None])
    expanded = mutual.copy()
    expanded[row, theirs[row, slot, entry]] = True
    return expanded


def _averaged(memberships: _Sparse, neighbours: IntArray) -> Iterator[FloatArray]:
    """Rows of `memberships`, each averaged over the row's neighbours (local query expansion)."""
    size, share = len(neighbours), np.float32(1 / neighbours.shape[1])
    for start, end in _blocks(size):
        position, owner = memberships.entries(neighbours[start:end].ravel())
        cell = (owner // neighbours.shape[1]) * size + memberships.columns[position]
        total = np.bincount(cell, memberships.values[position] * share, minlength=(end - start) * size)
        yield total.astype(np.float32).reshape(end - start, size)


def _jaccard_distances(memberships: _Sparse, queries: int) -> FloatArray:
    """1 - sum of minima / sum of maxima between the first `queries` rows and all: (queries, N)."""
    size = len(memberships.starts) - 1
    by_column = memberships.transposed()
    distances = np.empty((queries, size), np.float32)
    for query in range(queries):
        own = slice(memberships.starts[query], memberships.starts[query + 1])
        position, owner = by_column.entries(memberships.columns[own])
        minima = np.minimum(by_column.values[position], memberships.values[own][owner])
        overlap = np.bincount(by_column.columns[position], minima, minlength=size)
        distances[query] = 1 - overlap / (2 - overlap)
    return distances
