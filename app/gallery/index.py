"""What a gallery asks of any index of embeddings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings

Similarities = NDArray[np.float32]


class OutOfStep(Exception):
    """A change does not follow from what the index holds; it has to be rebuilt from the records."""


class Stopped(Exception):
    """The service ends, and what takes long is given up."""


@dataclass(frozen=True, eq=False)
class IndexChange:
    """What to do to an index at version - 1 to bring it to `version`.

    Attributes:
        keys: (N,) of new embeddings, ascending and larger than any before.
        embeddings: (N, D) float32 unit rows.
        removed: (M,) keys of embeddings that go.
    """

    version: int
    keys: Keys
    embeddings: Embeddings
    removed: Keys


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Candidates for the embeddings most like some queries.

    Attributes:
        keys: (N,) of the candidates of all queries together, each at most once, in no order.
        ceiling: (Q,) no embedding outside `keys` is more similar to the query than this; -inf where none is outside.
            An approximate index states what it believes.
        similarities: (Q, N) of each query to each candidate, where the index had to compute them all anyway; as
            `VectorIndex.similarities` promises them, but for rounding.
    """

    keys: Keys
    ceiling: Similarities
    similarities: Similarities | None = None


@dataclass(frozen=True)
class IndexStats:
    """What an index says of itself.

    Attributes:
        kind: whether a search looks at every embedding ("exact") or at the likeliest lists of them ("ivf").
        codes: how the numbers are held that are scanned.
        lists, lists_searched: how many there are, and at how many a search looks.
        recall_at_10: share of the ten most similar embeddings that a search finds, measured on its own when trained.
        trained_at: when, in seconds since 1970.
        trained_on: so many embeddings it held then.
        vector_bytes: of the embeddings in memory.
        index_bytes: of everything else.
    """

    kind: Literal["exact", "ivf"]
    codes: Literal["float32", "float16", "int8"]
    lists: int | None
    lists_searched: int | None
    recall_at_10: float | None
    trained_at: float | None
    trained_on: int | None
    vector_bytes: int
    index_bytes: int


class VectorIndex(Protocol):
    """An index at one version of a gallery: a cache of its records.

    An index in process is immutable: `apply` returns the next one, which shares what it can, and readers of this one
    are neither disturbed nor waited for. One that lives elsewhere returns itself.
    """

    @property
    def version(self) -> int:
        """The gallery version that it holds."""

    def __len__(self) -> int:
        """How many embeddings it holds."""

    def nearest(self, queries: Embeddings, count: int) -> Neighbours:
        """Candidates for the `count` embeddings most like each query (Q, D).

        Removed ones may use up some of the count; with a growing count all that are held come back.
        """

    def similarities(self, queries: Embeddings, keys: Keys) -> Similarities:
        """(Q, N) cosine similarity of each query (Q, D) to each of the embeddings `keys` (N,).

        Equal pairs give equal bits, whatever else is asked at the same time, so that ties are ties.
        """

    def embeddings(self, keys: Keys) -> Embeddings:
        """The embeddings (N, D) under `keys` (N,), as they came."""

    def apply(self, change: IndexChange) -> "VectorIndex":
        """The index after the next change.

        Raises:
            OutOfStep: it is not the next change, adds a key that is there, or removes one that is not.
        """

    def stats(self) -> IndexStats:
        """Of what kind it is, how well it finds, and how large it is."""

    @property
    def wants_compaction(self) -> bool:
        """Whether changes have piled up that cost every search."""

    def compacted(self) -> "VectorIndex":
        """The same version in its best shape; slow, and safe to run beside searches and `apply`."""


IndexBuilder = Callable[[int, Keys, Embeddings], VectorIndex]
"""Builds an index from a version, keys (N,) ascending, and embeddings (N, D), which it may keep or use up: nobody else
reads them any more."""
