"""Large arrays whose memory can be given back piece by piece, and that lie in large pages where the system has such."""

import mmap
import weakref
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.gallery.domain import Embeddings

COLLAPSE = 25
"""Of Linux 6.1's `madvise`: move what is there to large pages, now. Python has no name for it yet."""


def empty_rows(count: int, dim: int) -> Embeddings:
    """Rows (count, dim) to be filled."""
    if not count:
        return np.empty((0, dim), np.float32)
    pages = _mapped(count * dim * np.dtype(np.float32).itemsize)
    # Large pages, where the system has such: they cost one fault for each two megabytes instead of five hundred.
    with suppress(OSError, AttributeError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.float32).reshape(count, dim)


def give_back(rows: Embeddings, end: int) -> None:
    """Give back the memory of the first `end` rows of what `empty_rows` made; they must not be read any more."""
    pages = _pages_of(rows)
    if pages is not None:
        whole = end * rows.shape[1] * rows.itemsize // mmap.PAGESIZE * mmap.PAGESIZE
        pages.madvise(mmap.MADV_DONTNEED, 0, whole)


def empty_pieces(counts: Sequence[int], dim: int, dtype: DTypeLike) -> list[NDArray[Any]]:
    """Rows (count, dim) to be filled, for each count; they lie one behind the other.

    The memory of each is given back when nobody holds it, or a view of it, any more.
    """
    if not any(counts):
        return [np.empty((0, dim), dtype) for _ in counts]
    row = dim * np.dtype(dtype).itemsize
    pages = _mapped(sum(counts) * row)
    pieces = []
    for count, end in zip(counts, accumulate(counts), strict=True):
        start = (end - count) * row if count else 0
        piece = np.ndarray((count, dim), dtype, pages, start)
        _give_back_with(piece, pages, start)
        pieces.append(piece)
    return pieces


def use_large_pages(rows: NDArray[Any]) -> None:
    """Have what `empty_pieces` made lie in large pages; `rows` is one of the pieces, and all of them are filled.

    To scan them is faster by a sixth then. Were the pages large from the start, whoever fills pieces in turns would
    have memory for all of them before it has given back anything.
    """
    pages = _pages_of(rows)
    if pages is not None:
        with suppress(OSError):
            pages.madvise(COLLAPSE)


def _mapped(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _give_back_with(piece: NDArray[Any], pages: mmap.mmap, start: int) -> None:
    # At both ends are pages that others have a part in.
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (start + piece.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if end > first:
        weakref.finalize(piece, pages.madvise, mmap.MADV_DONTNEED, first, end - first).atexit = False


def _pages_of(rows: NDArray[Any]) -> mmap.mmap | None:
    base: object = rows
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) else None
