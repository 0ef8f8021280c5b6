"""The indexes of all galleries of a service: how each is built, and where what was learned is kept."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from app.gallery.changes import GalleryRow
from app.gallery.index import IndexBuilder, Stopped
from app.gallery.sizing import IndexOptions, SizedIndexes
from app.gallery.snapshots import SnapshotFile, erase_orphans

# Lower priority than what answers; not the lowest, because the interpreter's lock is held now and then.
NICENESS = 5


class Indexes:
    """Builders of indexes, and the thread in which they do what takes long.

    Args:
        options: how galleries are searched.
        data_dir: where snapshots are kept; nowhere if it is None.
        clock: seconds since 1970.
    """

    def __init__(self, options: IndexOptions, data_dir: Path | None, clock: Callable[[], float]) -> None:
        self._options, self._data_dir, self._clock = options, data_dir, clock
        self._stopping = threading.Event()
        self.background: Executor = ThreadPoolExecutor(1, "gallery-compaction", initializer=_give_way)

    def builder(self, gallery: GalleryRow) -> IndexBuilder:
        """What builds the index of a gallery."""
        return SizedIndexes(self._options, self._snapshot(gallery), self._clock, self._check).build

    def erase(self, gallery: GalleryRow) -> None:
        """Remove what was learned from a gallery."""
        snapshot = self._snapshot(gallery)
        if snapshot is not None:
            snapshot.erase()
            # Once more after what may be under way.
            self.background.submit(snapshot.erase)

    def erase_orphans(self, galleries: Sequence[GalleryRow]) -> None:
        """Remove what was learned from others than these."""
        if self._data_dir is not None:
            erase_orphans(self._data_dir, galleries)

    def close(self) -> None:
        """Give up what takes long, and wait for the rest."""
        self._stopping.set()
        self.background.shutdown()

    def _snapshot(self, gallery: GalleryRow) -> SnapshotFile | None:
        return None if self._data_dir is None else SnapshotFile(self._data_dir, gallery)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopped


def _give_way() -> None:
    # Linux counts niceness by thread; elsewhere there is none to give.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
