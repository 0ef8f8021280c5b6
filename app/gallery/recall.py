"""How well an index finds what an exact one would, measured on the gallery's own embeddings."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import nearest_rows
from app.gallery.index import VectorIndex

SAMPLED = 200
AMONG = 10
# As a search for few identities does: these are found by the index, and ordered by their exact similarities.
REACH = 64
COMPARED_AT_ONCE = 16_384


def sample_keys(keys: Keys, seed: int = 0) -> Keys:
    """Some keys whose embeddings serve as queries."""
    return np.sort(np.random.default_rng(seed).choice(keys, min(SAMPLED, len(keys)), replace=False))


def true_neighbours(queries: Embeddings, own: Keys, keys: Keys, rows: Callable[[slice], Embeddings]) -> Sequence[Keys]:
    """The keys of the ten embeddings most like each query, by looking at all of them.

    Args:
        queries: (Q, D) that are in the gallery.
        own: (Q,) their own keys, which are left out.
        keys: (N,) of the gallery.
        rows: some of its embeddings.
    """
    best = np.full((len(queries), 0), -np.inf, np.float32)
    found = np.full((len(queries), 0), -1, np.int64)
    for here in _slices(len(keys)):
        part = rows(here)
        similarities, at = nearest_rows(queries, part, min(AMONG + 1, len(part)))
        best, found = np.hstack([best, similarities]), np.hstack([found, keys[here][at]])
        order = np.argsort(-best, axis=1)[:, : AMONG + 1]
        best, found = np.take_along_axis(best, order, axis=1), np.take_along_axis(found, order, axis=1)
    return [row[row != key][:AMONG] for row, key in zip(found, own, strict=True)]


def recall(index: VectorIndex, queries: Embeddings, own: Keys, truth: Sequence[Keys]) -> float:
    """Share of the true neighbours that the index finds, each query asked by itself."""
    hits = 0
    for query, key, expected in zip(queries, own, truth, strict=True):
        found = index.nearest(query[None], REACH).keys
        found = found[found != key]
        similarities = index.similarities(query[None], found)[0]
        hits += len(np.intersect1d(found[np.argsort(-similarities)[:AMONG]], expected))
    return hits / max(1, sum(map(len, truth)))


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, COMPARED_AT_ONCE):
        yield slice(start, min(start + COMPARED_AT_ONCE, count))
