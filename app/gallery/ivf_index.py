"""An index of lists (IVF): embeddings lie in the list of the centre they are most like, and a search looks into few.

Each list grows and shrinks by itself, and versions of the index share all lists that a change does not touch. So there
is no tail to be searched beside the lists, erased embeddings are gone at once, and memory holds every embedding once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import Rows, nearest_rows
from app.gallery.faiss_index import check_ascending, pairwise_similarities, positions_of, rounding
from app.gallery.index import IndexBuilder, IndexChange, IndexStats, Neighbours, OutOfStep, Similarities, VectorIndex
from app.gallery.lists import ASSIGNED_AT_ONCE, Homes, InvertedList, Training, empty_lists, grouped, settle
from app.gallery.pages import empty_rows, give_back
from app.gallery.persistent import GrowingArray

# Among so many times as many as are wanted, the best ones are: lists are looked into until they hold as many.
LOOKED_AT = 4
# So much is in memory twice while lists are filled; with less at once, each list is visited more often.
FILLED_AT_ONCE_BYTES = 128 << 20
RETRAIN_GROWTH = 2
RETRAIN_SHRINKAGE = 1 / 2
UPKEEP_SHARE = 1 / 8
UPKEEP_AFTER = 1024


@dataclass(frozen=True, eq=False)
class IvfIndex:
    """A `VectorIndex` of lists.

    Attributes:
        version: the gallery version that it holds.
        training: centres, codes, and how they were found to serve.
        lists: one for each centre.
        keys: (K,) ascending, of all embeddings that it has held since the last upkeep.
        homes: (K,) their lists.
        size: how many it holds.
        kept: how many keys the last upkeep has seen.
        rebuild: builds what it becomes once it has outgrown its training.
        tend: called in the background when much has changed; gives the index back, knowing how well it serves now.
    """

    version: int
    training: Training
    lists: tuple[InvertedList, ...]
    keys: GrowingArray
    homes: GrowingArray
    size: int
    kept: int
    rebuild: IndexBuilder
    tend: "Tend"

    @classmethod
    def fill(
        cls,
        version: int,
        keys: Keys,
        embeddings: Embeddings,
        homes: Homes,
        training: Training,
        rebuild: IndexBuilder,
        tend: "Tend",
    ) -> "IvfIndex":
        """An index of embeddings (N, D) under keys (N,) in the lists `homes` (N,).

        The memory of embeddings made by `empty_rows` is given back on the way: they are not to be used any more.

        Raises:
            OutOfStep: the keys do not ascend.
        """
        check_ascending(keys)
        sizes = np.bincount(homes, minlength=len(training.centres))
        lists = empty_lists(sizes.tolist(), training)
        ends = np.zeros(len(lists), np.int64)
        at_once = FILLED_AT_ONCE_BYTES // embeddings[:1].nbytes if len(keys) else 1
        for start in range(0, len(keys), at_once):
            here = slice(start, start + at_once)
            rows = embeddings[here]
            codes = training.coder.encode(rows) if training.coder.kind == "int8" else None
            for home, mine in grouped(homes[here]):
                into = slice(ends[home], ends[home] + len(mine))
                lists[home].keys.rows[into] = keys[here][mine]
                lists[home].rows.rows[into] = rows[mine]
                if codes is not None:
                    lists[home].codes.rows[into] = codes[mine]  # type: ignore[union-attr]
                ends[home] += len(mine)
            give_back(embeddings, start + len(rows))
        settle(lists)
        held = GrowingArray(keys), GrowingArray(homes)
        return cls(version, training, lists, *held, len(keys), len(keys), rebuild, tend)

    def __len__(self) -> int:
        return self.size

    def nearest(self, queries: Embeddings, count: int) -> Neighbours:
        """As `VectorIndex` says; the ceiling is that of the lists that were looked into."""
        if count >= self.size:
            everything = np.concatenate([one.keys.rows for one in self.lists])
            return Neighbours(everything, np.full(len(queries), -np.inf, np.float32))
        likeliest = self._likeliest(queries, count).tolist()
        found = [self._scanned(query, near, count) for query, near in zip(queries, likeliest, strict=True)]
        ceiling = np.array([similarities.min() for similarities, _ in found]) + rounding(queries.shape[1])
        if len(found) == 1 and self.training.coder.kind == "float32":
            [(similarities, keys)] = found
            order = keys.argsort()
            return Neighbours(keys[order], ceiling, similarities[None, order])
        return Neighbours(np.unique(np.concatenate([keys for _, keys in found])), ceiling)

    def similarities(self, queries: Embeddings, keys: Keys) -> Similarities:
        """As `VectorIndex` says."""
        return pairwise_similarities(self, queries, keys)

    def embeddings(self, keys: Keys) -> Embeddings:
        """As `VectorIndex` says; rounded to half precision where the codes are not float32."""
        homes = self.homes.rows[positions_of(self.keys.rows, keys)]
        embeddings = np.empty((len(keys), self.training.centres.shape[1]), np.float32)
        held = np.full(len(keys), -1, np.int64)
        for home, mine in grouped(homes):
            listed, rows = self.lists[home].keys.rows, self.lists[home].rows.rows
            if len(listed):
                places = listed.searchsorted(keys[mine])
                held[mine] = listed.take(places, mode="clip")
                embeddings[mine] = rows.take(places, axis=0, mode="clip")
        if (held != keys).any():
            raise OutOfStep("the index does not hold all of these keys")
        return embeddings

    def apply(self, change: IndexChange) -> "IvfIndex":
        """As `VectorIndex` says."""
        if change.version != self.version + 1:
            raise OutOfStep(f"the index is at version {self.version}; the change leads to {change.version}")
        check_ascending(np.concatenate([self.keys.rows[-1:], change.keys]))
        lists = list(self.lists)
        if len(np.unique(change.removed)) < len(change.removed):
            raise OutOfStep("the change removes one twice")
        gone = self.homes.rows[positions_of(self.keys.rows, change.removed)]
        for home, mine in grouped(gone):
            lists[home] = lists[home].without(change.removed[mine])
        keys, homes = self.keys, self.homes
        if len(change.keys):
            new = self.training.homes_of(change.embeddings)
            for home, mine in grouped(new):
                lists[home] = lists[home].extended(change.keys[mine], change.embeddings[mine], self.training.coder)
            keys, homes = keys.extended(change.keys), homes.extended(new)
        size = self.size + len(change.keys) - len(change.removed)
        return replace(self, version=change.version, lists=tuple(lists), keys=keys, homes=homes, size=size)

    @property
    def wants_compaction(self) -> bool:
        """As `VectorIndex` says."""
        unseen = len(self.keys.rows) - self.kept + len(self.keys.rows) - self.size
        return self._is_outgrown or unseen > max(UPKEEP_AFTER, UPKEEP_SHARE * self.size)

    def compacted(self) -> VectorIndex:
        """As `VectorIndex` says."""
        if self._is_outgrown:
            keys = np.sort(np.concatenate([one.keys.rows for one in self.lists]))
            return self.rebuild(self.version, keys, self._gathered(keys))
        held = np.concatenate([one.keys.rows for one in self.lists])
        order = np.argsort(held)
        homes = np.repeat(np.arange(len(self.lists), dtype=np.int32), [len(one.keys.rows) for one in self.lists])
        return self.tend(
            replace(self, keys=GrowingArray(held[order]), homes=GrowingArray(homes[order]), kept=len(held))
        )

    def stats(self) -> IndexStats:
        """As `VectorIndex` says."""
        training = self.training
        codes = sum(one.codes.rows.nbytes for one in self.lists if one.codes is not None)
        rows = sum(one.rows.rows.nbytes for one in self.lists)
        keys = sum(one.keys.rows.nbytes for one in self.lists) + self.keys.rows.nbytes + self.homes.rows.nbytes
        return IndexStats(
            kind="ivf",
            codes=training.coder.kind,
            lists=len(self.lists),
            lists_searched=training.lists_searched,
            recall_at_10=training.recall_at_10,
            trained_at=training.trained_at,
            trained_on=training.trained_on,
            vector_bytes=rows,
            index_bytes=codes + keys + training.centres.nbytes,
        )

    @property
    def _is_outgrown(self) -> bool:
        on = self.training.trained_on
        return not RETRAIN_SHRINKAGE * on <= self.size < RETRAIN_GROWTH * on

    def _likeliest(self, queries: Embeddings, count: int) -> Rows:
        """(Q, L) lists to look into, the likeliest first."""
        lists = len(self.lists)
        enough = -(-LOOKED_AT * count * lists // self.size)
        return nearest_rows(queries, self.training.centres, min(max(self.training.lists_searched, enough), lists))[1]

    def _scanned(self, query: Embeddings, near: list[int], count: int) -> tuple[Similarities, Keys]:
        """As `Coder.scan` says of some lists, or of all if these hold less than `count`, which is no more than all."""
        scan = self.training.coder.scan
        similarities, keys = scan(query, (self.lists[at].scanned for at in near), count)
        if len(keys) == count:
            return similarities, keys
        return scan(query, (one.scanned for one in self.lists), count)

    def _gathered(self, keys: Keys) -> Embeddings:
        gathered = empty_rows(len(keys), self.training.centres.shape[1])
        for start in range(0, len(keys), ASSIGNED_AT_ONCE):
            here = slice(start, start + ASSIGNED_AT_ONCE)
            gathered[here] = self.embeddings(keys[here])
        return gathered


Tend = Callable[[IvfIndex], IvfIndex]
