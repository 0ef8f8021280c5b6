"""Large arrays whose memory can be given back piece by piece, so that what is copied out is not in memory twice."""

import mmap
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from app.gallery.domain import Embeddings


def empty_rows(count: int, dim: int) -> Embeddings:
    """Rows (count, dim) to be filled."""
    if not count:
        return np.empty((0, dim), np.float32)
    pages = mmap.mmap(-1, count * dim * np.dtype(np.float32).itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
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


def _pages_of(rows: NDArray[np.float32]) -> mmap.mmap | None:
    base: object = rows
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) else None
