"""What an index of lists consists of: what was learned, and the lists."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import CodeList, Coder, Rows, nearest_rows
from app.gallery.index import OutOfStep
from app.gallery.pages import empty_pieces, use_large_pages
from app.gallery.persistent import GrowingArray

Homes = NDArray[np.int32]

ASSIGNED_AT_ONCE = 16_384
SUMMED_AT_ONCE = 131_072


@dataclass(frozen=True, eq=False)
class Training:
    """What was learned from the embeddings of a gallery, and how well it serves.

    Attributes:
        centres: (C, D) unit rows, one a list; zeros for a list without embeddings.
        coder: makes the codes that are scanned.
        lists_searched: how many lists a search looks into.
        recall_at_10: share of the ten most similar embeddings that it found so when that was last measured.
        trained_at: in seconds since 1970.
        trained_on: so many embeddings there were.
    """

    centres: Embeddings
    coder: Coder
    lists_searched: int
    recall_at_10: float | None
    trained_at: float
    trained_on: int

    def homes_of(self, embeddings: Embeddings, between: Callable[[], None] = lambda: None) -> Homes:
        """The number of the list of each embedding (N, D); `between` is called now and then, and may raise."""
        homes = np.empty(len(embeddings), np.int32)
        for start in range(0, len(embeddings), ASSIGNED_AT_ONCE):
            between()
            here = slice(start, start + ASSIGNED_AT_ONCE)
            homes[here] = nearest_rows(embeddings[here], self.centres, 1)[1][:, 0]
        return homes


@dataclass(frozen=True, eq=False)
class InvertedList:
    """The embeddings that are most like one centre.

    Attributes:
        keys: (n,) ascending.
        rows: (n, D) float32 or float16.
        codes: (n, size) that are scanned where these are not the bytes of `rows`.
    """

    keys: GrowingArray
    rows: GrowingArray
    codes: GrowingArray | None

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def scanned(self) -> CodeList:
        """Codes and keys."""
        return CodeList((self.rows if self.codes is None else self.codes).rows.view(np.uint8), self.keys.rows)

    def extended(self, keys: Keys, embeddings: Embeddings, coder: Coder) -> "InvertedList":
        """With more embeddings behind."""
        rows = embeddings.astype(self.rows.rows.dtype)
        codes = None if self.codes is None else self.codes.extended(coder.encode(embeddings))
        return InvertedList(self.keys.extended(keys), self.rows.extended(rows), codes)

    def without(self, keys: Keys) -> "InvertedList":
        """With less."""
        kept = ~np.isin(self.keys.rows, keys)
        if len(keys) + np.count_nonzero(kept) != len(kept):
            raise OutOfStep("the change removes what is gone already")
        codes = None if self.codes is None else GrowingArray(self.codes.rows[kept])
        return InvertedList(GrowingArray(self.keys.rows[kept]), GrowingArray(self.rows.rows[kept]), codes)


def centres_of(
    embeddings: Embeddings, homes: Homes, count: int, between: Callable[[], None] = lambda: None
) -> Embeddings:
    """Unit vectors (count, D): the mean of the embeddings (N, D) that are in each of the lists `homes` (N,).

    Zeros where there are none. `between` is called now and then, and may raise.
    """
    centres = np.zeros((count, embeddings.shape[1]), np.float32)
    for start in range(0, len(embeddings), SUMMED_AT_ONCE):
        between()
        rows = embeddings[start : start + SUMMED_AT_ONCE]
        for home, mine in grouped(homes[start : start + SUMMED_AT_ONCE]):
            centres[home] += rows[mine].sum(axis=0)
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    np.divide(centres, lengths, out=centres, where=lengths > 0)
    return centres


def empty_lists(sizes: Sequence[int], training: Training) -> tuple[InvertedList, ...]:
    """Lists of so many embeddings each, to be filled; `settle` is for when they are."""
    dim, kind = training.centres.shape[1], training.coder.kind
    rows = empty_pieces(sizes, dim, np.float32 if kind == "float32" else np.float16)
    codes = empty_pieces(sizes, dim, np.uint8) if kind == "int8" else [None] * len(sizes)
    return tuple(
        InvertedList(
            GrowingArray(np.empty(size, np.int64)), GrowingArray(mine), None if coded is None else GrowingArray(coded)
        )
        for size, mine, coded in zip(sizes, rows, codes, strict=True)
    )


def settle(lists: Sequence[InvertedList]) -> None:
    """Have lists that `empty_lists` made, and that are filled now, lie where they are scanned fastest."""
    for column in (lists[0].rows, lists[0].codes):
        if column is not None:
            use_large_pages(column.rows)


def grouped(homes: Homes) -> Iterator[tuple[int, Rows]]:
    """Each list with the places of its members in `homes`, in order."""
    order = np.argsort(homes, kind="stable")
    bounds = np.flatnonzero(np.diff(homes[order], prepend=-1, append=-1))
    for start, end in pairwise(bounds.tolist()):
        yield int(homes[order[start]]), order[start:end]
