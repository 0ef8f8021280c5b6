"""What the gallery's tests share: embeddings, small real implementations, and the ranking by brute force."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from app.gallery.changes import Keys
from app.gallery.domain import Aggregate, BestShot, Embeddings, NewShot, RankedIdentity
from app.gallery.faiss_calls import Codes
from app.gallery.gallery import GalleryStore
from app.gallery.index import IndexBuilder, IndexChange, IndexStats, Neighbours, OutOfStep, Similarities, VectorIndex
from app.gallery.ivf_index import IvfIndex
from app.gallery.sizing import DEFAULT_OPTIONS, IndexOptions, SizedIndexes, searching

P = ParamSpec("P")
T = TypeVar("T")

CHECKPOINT = "c" * 64
DIM = 16

Shots = Mapping[str, Embeddings]
People = Mapping[str, Shots]


def sign_vectors(count: int, seed: int, dim: int = DIM) -> Embeddings:
    """Unit rows (count, dim) of equal magnitudes: their products are exact, and many are equal."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (count, dim))
    return np.asarray(signs / np.sqrt(dim), np.float32)


def random_vectors(count: int, seed: int, dim: int = DIM) -> Embeddings:
    """Unit rows (count, dim) in all directions."""
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def new_shots(embeddings: Embeddings, camera: str | None = None) -> list[NewShot]:
    """A shot for each row."""
    return [NewShot(row, camera=camera) for row in embeddings]


def open_store(
    data_dir: Path,
    build_index: IndexBuilder | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    url: str | None = None,
    index_options: IndexOptions = DEFAULT_OPTIONS,
) -> GalleryStore:
    """Open a store with a gallery `people`."""
    store = GalleryStore.open(data_dir, url=url, index_options=index_options, build_index=build_index, clock=clock)
    if "people" not in store.names():
        store.create("people", CHECKPOINT, DIM)
    return store


def ranking_by_hand(people: People, queries: Embeddings, limit: int, aggregate: Aggregate) -> list[RankedIdentity]:
    """What a gallery should answer, computed one identity after the other, without cameras and labels."""
    found = []
    for identity_id, shots in people.items():
        if not shots:
            continue
        similarities = {shot_id: queries @ embedding for shot_id, embedding in shots.items()}
        per_query = np.max(list(similarities.values()), axis=0).astype(np.float64)
        fused = float(per_query.mean() if aggregate == "mean" else per_query.max())
        best = min(shots, key=lambda shot_id: (-similarities[shot_id].max(), shot_id))
        best_shot = BestShot(best, float(similarities[best].max()), None)
        found.append(RankedIdentity(0, identity_id, None, fused, len(shots), best_shot))
    found.sort(key=lambda one: (-one.similarity, one.identity_id))
    return [replace(one, rank=rank) for rank, one in enumerate(found[:limit], start=1)]


def lists_of(codes: Codes, share: float = 1.0) -> IndexBuilder:
    """Builds indexes of lists, whatever their size, of which each search looks into a share; all of them is exact."""
    sized = SizedIndexes(IndexOptions(exact_below=1, codes=codes))

    def build(version: int, keys: Keys, embeddings: Embeddings) -> VectorIndex:
        index = sized.rebuild(version, keys, embeddings)
        if not isinstance(index, IvfIndex):
            return index
        return searching(index, max(1, round(share * len(index.lists))), None)

    return build


@dataclass(frozen=True, eq=False)
class DictIndex:
    """The plainest `VectorIndex`: embeddings by key."""

    version: int
    rows: Mapping[int, Embeddings]

    @classmethod
    def build(cls, version: int, keys: Keys, embeddings: Embeddings) -> "DictIndex":
        """As `IndexBuilder` says."""
        return cls(version, dict(zip(keys.tolist(), embeddings, strict=True)))

    def __len__(self) -> int:
        return len(self.rows)

    def nearest(self, queries: Embeddings, count: int) -> Neighbours:
        """As `VectorIndex` says."""
        keys = np.array(list(self.rows), np.int64)
        if count >= len(keys):
            return Neighbours(keys, np.full(len(queries), -np.inf, np.float32))
        similarities = self.similarities(queries, keys)
        order = np.argsort(-similarities, axis=1)[:, :count]
        return Neighbours(np.unique(keys[order]), np.take_along_axis(similarities, order[:, -1:], axis=1)[:, 0])

    def similarities(self, queries: Embeddings, keys: Keys) -> Similarities:
        """As `VectorIndex` says."""
        found = [[np.dot(query, self.rows[key]) for key in keys.tolist()] for query in queries]
        return np.array(found, np.float32).reshape(len(queries), len(keys))

    def embeddings(self, keys: Keys) -> Embeddings:
        """As `VectorIndex` says."""
        return np.stack([self.rows[key] for key in keys.tolist()])

    def apply(self, change: IndexChange) -> "DictIndex":
        """As `VectorIndex` says."""
        keys, removed = change.keys.tolist(), set(change.removed.tolist())
        added = dict(zip(keys, change.embeddings, strict=True))
        newer = keys == sorted(set(keys)) and min(keys, default=1 << 62) > max(self.rows, default=-1)
        if change.version != self.version + 1 or not newer:
            raise OutOfStep("not the next change")
        if len(removed) < len(change.removed) or not removed <= set(self.rows):
            raise OutOfStep("removes what is not there")
        kept = {key: row for key, row in self.rows.items() if key not in removed}
        return DictIndex(change.version, kept | added)

    def stats(self) -> IndexStats:
        """Nothing to tell."""
        return IndexStats("exact", "float32", None, None, 1.0, None, None, 0, 0)

    @property
    def wants_compaction(self) -> bool:
        """Never."""
        return False

    def compacted(self) -> "DictIndex":
        """As it is."""
        return self


@dataclass(frozen=True)
class Place:
    """Where galleries are kept: in a file of a folder, or in the database of a URL."""

    data_dir: Path
    url: str | None = None

    def open(self, build_index: IndexBuilder | None = None, clock: Callable[[], float] = lambda: 0.0) -> GalleryStore:
        """Open a store with a gallery `people`."""
        return open_store(self.data_dir, build_index, clock, self.url)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ByHand(Executor):
    """Runs what it is given when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Keep it for later."""
        self.waiting.append(lambda: fn(*args, **kwargs))
        return Future()

    def run(self) -> None:
        """Run everything that waits."""
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job()
