"""An index in this process, searched by FAISS. The only importer of faiss.

FAISS crashes when an index is searched and changed at once, accepts duplicate ids and loads flipped bytes. Here it only
ever sees arrays that nobody writes to any more; ids are checked by us, and bytes where the records are read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import NO_KEYS, Keys
from app.gallery.domain import Embeddings
from app.gallery.index import IndexChange, Neighbours, OutOfStep, Similarities
from app.gallery.persistent import GrowingArray

Rows = NDArray[np.int64]

# From so many queries on, one matrix product beats a pass for each.
MATRIX_PRODUCT_FROM = 4
COMPACT_AFTER = 1024
COMPACT_SHARE = 1 / 8
GATHERED_AT_ONCE = 4096


class Base(Protocol):
    """N embeddings that no longer change, in whatever form searches them best."""

    def __len__(self) -> int:
        """N."""

    def nearest(self, queries: Embeddings, count: int) -> tuple[Similarities, Rows]:
        """Similarities (Q, count), falling, and rows (Q, count) of the best; `count` is N at most."""

    def rows(self, rows: Rows) -> Embeddings:
        """Some of the embeddings (R, D), exactly as they came."""


class FlatBase:
    """Exact search by looking at everything.

    Args:
        embeddings: (N, D) float32, contiguous; neither copied nor written to.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    def __len__(self) -> int:
        return len(self._embeddings)

    def nearest(self, queries: Embeddings, count: int) -> tuple[Similarities, Rows]:
        """As `Base` says."""
        # The threads of FAISS spin while they wait: on busy cores a search then takes hundreds of milliseconds. This
        # holds for the calling thread only.
        faiss.omp_set_num_threads(1)
        # FAISS compares this with queries times dimension; its default of 128000 is a hundred times too much. It is
        # global, but decides speed only.
        faiss.cvar.distance_compute_blas_threshold = MATRIX_PRODUCT_FROM * queries.shape[1]
        similarities, rows = faiss.knn(queries, self._embeddings, count, metric=faiss.METRIC_INNER_PRODUCT)
        return similarities, rows

    def rows(self, rows: Rows) -> Embeddings:
        """As `Base` says."""
        return self._embeddings[rows]


BaseBuilder = Callable[[Embeddings], Base]


@dataclass(frozen=True, eq=False)
class FaissIndex:
    """A `VectorIndex`: a base that is searched well, a tail of what came later, and the keys of what has gone.

    Attributes:
        version: the gallery version that it holds.
        keys: (N + M,) ascending, of the rows of base and tail.
        base: N embeddings.
        tail: (M, D) embeddings.
        removed: (R,) ascending, of `keys`.
        build_base: makes a base; the place to choose its kind by size.
        compact_after: so many rows in tail and `removed` are always fine.
    """

    version: int
    keys: GrowingArray
    base: Base
    tail: GrowingArray
    removed: Keys
    build_base: BaseBuilder
    compact_after: int

    @classmethod
    def build(
        cls,
        version: int,
        keys: Keys,
        embeddings: Embeddings,
        build_base: BaseBuilder = FlatBase,
        compact_after: int = COMPACT_AFTER,
    ) -> "FaissIndex":
        """An index of embeddings (N, D) under keys (N,).

        Raises:
            OutOfStep: the keys do not ascend.
        """
        _check_ascending(keys)
        tail = GrowingArray(np.empty((0, embeddings.shape[1]), np.float32))
        return cls(version, GrowingArray(keys), build_base(embeddings), tail, NO_KEYS, build_base, compact_after)

    def __len__(self) -> int:
        return len(self.keys.rows) - len(self.removed)

    def nearest(self, queries: Embeddings, count: int) -> Neighbours:
        """As `VectorIndex` says; exact if the base is."""
        held, tail = self.keys.rows, FlatBase(self.tail.rows)
        base_keys, tail_keys = np.split(held, [len(self.base)])
        in_base = _nearest_in(self.base, base_keys, queries, count)
        in_tail = _nearest_in(tail, tail_keys, queries, count)
        keys = np.concatenate([in_base.keys, in_tail.keys])
        return Neighbours(self._without_removed(keys), np.maximum(in_base.ceiling, in_tail.ceiling))

    def similarities(self, queries: Embeddings, keys: Keys) -> Similarities:
        """As `VectorIndex` says."""
        result = np.empty((len(queries), len(keys)), np.float32)
        for start in range(0, len(keys), GATHERED_AT_ONCE):
            here = slice(start, start + GATHERED_AT_ONCE)
            # One dot product a pair, because a matrix product rounds differently from place to place.
            result[:, here] = np.vecdot(queries[:, None], self.embeddings(keys[here])[None])
        return result

    def embeddings(self, keys: Keys) -> Embeddings:
        """As `VectorIndex` says."""
        positions, base_length = _positions(self.keys.rows, keys), len(self.base)
        in_tail = positions >= base_length
        if not in_tail.any():
            return self.base.rows(positions)
        embeddings = np.empty((len(keys), self.tail.rows.shape[1]), np.float32)
        embeddings[~in_tail] = self.base.rows(positions[~in_tail])
        embeddings[in_tail] = self.tail.rows[positions[in_tail] - base_length]
        return embeddings

    def apply(self, change: IndexChange) -> "FaissIndex":
        """As `VectorIndex` says."""
        if change.version != self.version + 1:
            raise OutOfStep(f"the index is at version {self.version}; the change leads to {change.version}")
        _check_ascending(np.concatenate([self.keys.rows[-1:], change.keys]))
        removed = np.concatenate([self.removed, change.removed])
        _positions(self.keys.rows, change.removed)
        if len(np.unique(removed)) < len(removed):
            raise OutOfStep("the change removes what is gone already")
        return replace(
            self,
            version=change.version,
            keys=self.keys.extended(change.keys) if len(change.keys) else self.keys,
            tail=self.tail.extended(change.embeddings) if len(change.keys) else self.tail,
            removed=np.sort(removed),
        )

    @property
    def wants_compaction(self) -> bool:
        """As `VectorIndex` says."""
        pending = len(self.tail.rows) + len(self.removed)
        return pending > max(self.compact_after, COMPACT_SHARE * len(self.base))

    def compacted(self) -> "FaissIndex":
        """As `VectorIndex` says."""
        keys = self._without_removed(self.keys.rows)
        embeddings = np.empty((len(keys), self.tail.rows.shape[1]), np.float32)
        for start in range(0, len(keys), GATHERED_AT_ONCE):
            here = slice(start, start + GATHERED_AT_ONCE)
            embeddings[here] = self.embeddings(keys[here])
        return self.build(self.version, keys, embeddings, self.build_base, self.compact_after)

    def _without_removed(self, keys: Keys) -> Keys:
        return keys[~np.isin(keys, self.removed)] if len(self.removed) else keys


def _nearest_in(base: Base, keys: Keys, queries: Embeddings, count: int) -> Neighbours:
    if count >= len(base):
        return Neighbours(keys, np.full(len(queries), -np.inf, np.float32))
    similarities, rows = base.nearest(queries, count)
    # Two ways of summing D products over unit vectors differ by no more.
    rounding = np.float32(queries.shape[1] * np.finfo(np.float32).eps)
    return Neighbours(keys[np.unique(rows)], similarities[:, -1] + rounding)


def _positions(held: Keys, keys: Keys) -> Rows:
    positions = np.searchsorted(held, keys)
    if np.any(np.searchsorted(held, keys, side="right") == positions):
        raise OutOfStep("the index does not hold all of these keys")
    return positions


def _check_ascending(keys: Keys) -> None:
    if np.any(keys[1:] <= keys[:-1]):
        raise OutOfStep("keys do not ascend")
