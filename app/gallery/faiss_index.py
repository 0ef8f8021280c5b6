"""An exact index: every search looks at every embedding. For galleries that are small enough for it."""

import sys
from dataclasses import dataclass, replace

import numpy as np

from app.gallery.changes import NO_KEYS, Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import Rows, nearest_rows
from app.gallery.index import IndexBuilder, IndexChange, IndexStats, Neighbours, OutOfStep, Similarities, VectorIndex
from app.gallery.pages import empty_rows
from app.gallery.persistent import GrowingArray

COMPACT_AFTER = 1024
COMPACT_SHARE = 1 / 8
GATHERED_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class FaissIndex:
    """A `VectorIndex`: a base that nobody writes to, a tail of what came later, and the keys of what has gone.

    Attributes:
        version: the gallery version that it holds.
        keys: (N + M,) ascending, of the rows of base and tail.
        base: (N, D) embeddings.
        tail: (M, D) embeddings.
        removed: (R,) ascending, of `keys`.
        compact_after: so many rows in tail and `removed` are always fine.
        outgrown_at: from so many embeddings on it wants to be compacted, because another kind would be faster.
        rebuild: builds what it becomes when it is compacted; one of its own kind if it is None.
    """

    version: int
    keys: GrowingArray
    base: Embeddings
    tail: GrowingArray
    removed: Keys
    compact_after: int
    outgrown_at: int
    rebuild: IndexBuilder | None

    @classmethod
    def build(
        cls,
        version: int,
        keys: Keys,
        embeddings: Embeddings,
        compact_after: int = COMPACT_AFTER,
        outgrown_at: int = sys.maxsize,
        rebuild: IndexBuilder | None = None,
    ) -> "FaissIndex":
        """An index of contiguous embeddings (N, D) under keys (N,).

        Raises:
            OutOfStep: the keys do not ascend.
        """
        check_ascending(keys)
        tail = GrowingArray(np.empty((0, embeddings.shape[1]), np.float32))
        return cls(version, GrowingArray(keys), embeddings, tail, NO_KEYS, compact_after, outgrown_at, rebuild)

    def __len__(self) -> int:
        return len(self.keys.rows) - len(self.removed)

    def nearest(self, queries: Embeddings, count: int) -> Neighbours:
        """As `VectorIndex` says; exact."""
        base_keys, tail_keys = np.split(self.keys.rows, [len(self.base)])
        in_base = _nearest_in(self.base, base_keys, queries, count)
        in_tail = _nearest_in(self.tail.rows, tail_keys, queries, count)
        keys = np.concatenate([in_base.keys, in_tail.keys])
        return Neighbours(self._without_removed(keys), np.maximum(in_base.ceiling, in_tail.ceiling))

    def similarities(self, queries: Embeddings, keys: Keys) -> Similarities:
        """As `VectorIndex` says."""
        return pairwise_similarities(self, queries, keys)

    def embeddings(self, keys: Keys) -> Embeddings:
        """As `VectorIndex` says."""
        positions, base_length = positions_of(self.keys.rows, keys), len(self.base)
        in_tail = positions >= base_length
        if not in_tail.any():
            return self.base[positions]
        embeddings = np.empty((len(keys), self.tail.rows.shape[1]), np.float32)
        embeddings[~in_tail] = self.base[positions[~in_tail]]
        embeddings[in_tail] = self.tail.rows[positions[in_tail] - base_length]
        return embeddings

    def apply(self, change: IndexChange) -> "FaissIndex":
        """As `VectorIndex` says."""
        if change.version != self.version + 1:
            raise OutOfStep(f"the index is at version {self.version}; the change leads to {change.version}")
        check_ascending(np.concatenate([self.keys.rows[-1:], change.keys]))
        positions_of(self.keys.rows, change.removed)
        gone = np.unique(change.removed)
        if len(gone) < len(change.removed) or np.isin(gone, self.removed, kind="sort").any():
            raise OutOfStep("the change removes what is gone already")
        return replace(
            self,
            version=change.version,
            keys=self.keys.extended(change.keys) if len(change.keys) else self.keys,
            tail=self.tail.extended(change.embeddings) if len(change.keys) else self.tail,
            removed=np.insert(self.removed, np.searchsorted(self.removed, gone), gone),
        )

    @property
    def wants_compaction(self) -> bool:
        """As `VectorIndex` says."""
        pending = len(self.tail.rows) + len(self.removed)
        return len(self) >= self.outgrown_at or pending > max(self.compact_after, COMPACT_SHARE * len(self.base))

    def compacted(self) -> VectorIndex:
        """As `VectorIndex` says."""
        keys = self._without_removed(self.keys.rows)
        embeddings = empty_rows(len(keys), self.tail.rows.shape[1])
        for start in range(0, len(keys), GATHERED_AT_ONCE):
            here = slice(start, start + GATHERED_AT_ONCE)
            embeddings[here] = self.embeddings(keys[here])
        if self.rebuild is not None:
            return self.rebuild(self.version, keys, embeddings)
        return self.build(self.version, keys, embeddings, self.compact_after)

    def stats(self) -> IndexStats:
        """As `VectorIndex` says."""
        rows = self.base.nbytes + self.tail.rows.nbytes
        return IndexStats(
            kind="exact",
            codes="float32",
            lists=None,
            lists_searched=None,
            recall_at_10=1.0,
            trained_at=None,
            trained_on=None,
            vector_bytes=rows,
            index_bytes=self.keys.rows.nbytes + self.removed.nbytes,
        )

    def _without_removed(self, keys: Keys) -> Keys:
        return keys[~np.isin(keys, self.removed)] if len(self.removed) else keys


def _nearest_in(rows: Embeddings, keys: Keys, queries: Embeddings, count: int) -> Neighbours:
    if count >= len(rows):
        return Neighbours(keys, np.full(len(queries), -np.inf, np.float32))
    similarities, found = nearest_rows(queries, rows, count)
    return Neighbours(keys[np.unique(found)], similarities[:, -1] + rounding(queries.shape[1]))


def rounding(dim: int) -> np.float32:
    """Two ways of summing D products over unit vectors differ by no more."""
    return np.float32(dim * np.finfo(np.float32).eps)


def pairwise_similarities(index: VectorIndex, queries: Embeddings, keys: Keys) -> Similarities:
    """(Q, N) cosine similarities as `VectorIndex.similarities` promises them, from an index's embeddings."""
    result = np.empty((len(queries), len(keys)), np.float32)
    for start in range(0, len(keys), GATHERED_AT_ONCE):
        here = slice(start, start + GATHERED_AT_ONCE)
        # One dot product a pair, because a matrix product rounds differently from place to place.
        result[:, here] = np.vecdot(queries[:, None], index.embeddings(keys[here])[None])
    return result


def positions_of(held: Keys, keys: Keys) -> Rows:
    """Where `keys` (N,) are among `held`, which ascend; raises OutOfStep if one is not there."""
    positions = held.searchsorted(keys)
    if len(keys) and (not len(held) or (held.take(positions, mode="clip") != keys).any()):
        raise OutOfStep("the index does not hold all of these keys")
    return positions


def check_ascending(keys: Keys) -> None:
    """Raises OutOfStep if keys do not ascend, or one comes twice."""
    if np.any(keys[1:] <= keys[:-1]):
        raise OutOfStep("keys do not ascend")
