"""One gallery at work: its records, and a view of them that is never behind what was acknowledged."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import reduce
from typing import TypeVar

from app.gallery.changes import Change, GalleryRow, Outcome
from app.gallery.errors import StorageFailure
from app.gallery.index import IndexBuilder, OutOfStep
from app.gallery.records import Records
from app.gallery.view import View

Answer = TypeVar("Answer")

log = logging.getLogger("gaitkeeper")


class LiveGallery:
    """Keeps the view in step with the records.

    Readers take `view` and keep it as long as they like. Writers take turns: each commits, then publishes the view
    that follows, then returns.

    Args:
        gallery: its record.
        records: where it is kept.
        build_index: makes its index.
        background: where compaction runs.

    Raises:
        DamagedShot: a stored embedding does not fit its checksum.
    """

    def __init__(self, gallery: GalleryRow, records: Records, build_index: IndexBuilder, background: Executor) -> None:
        self._gallery, self._records, self._build_index, self._background = gallery, records, build_index, background
        self._writing = threading.Lock()
        self._since_compaction_began: list[Change] | None = None
        self._in_doubt = False
        self._view = self._rebuilt()
        self.calibration = records.calibration(gallery)

    @property
    def view(self) -> View:
        """The gallery as it is now."""
        return self._view

    def write(self, transaction: Callable[[GalleryRow], Outcome[Answer]]) -> Answer:
        """Run a transaction and show what it changed; when it returns, every new reader sees that."""
        with self._writing:
            if self._in_doubt:
                self._catch_up()
            try:
                outcome = transaction(self._gallery)
            except StorageFailure:
                self._in_doubt = True
                with suppress(StorageFailure):
                    self._catch_up()
                raise
            if outcome.change is not None:
                self._publish(outcome.change)
            return outcome.answer

    def _catch_up(self) -> None:
        """Show what was committed although its caller was told of a failure."""
        if self._records.version(self._gallery) != self._view.index.version:
            self._view = self._rebuilt()
        self._in_doubt = False

    def _publish(self, change: Change) -> None:
        try:
            self._view = self._view.apply(change)
        except OutOfStep:
            # An earlier transaction was committed, but failed before it got here.
            log.warning("the index of gallery %s is rebuilt", self._gallery.name, exc_info=True)
            self._view = self._rebuilt()
        if self._since_compaction_began is not None:
            self._since_compaction_began.append(change)
        elif self._view.index.wants_compaction:
            self._since_compaction_began = []
            self._background.submit(self._compact, self._view)

    def _compact(self, view: View) -> None:
        try:
            compacted = view.compacted()
            with self._writing:
                followed = reduce(View.apply, self._since_compaction_began or (), compacted)
                # A view that was built anew meanwhile knows more.
                if followed.index.version == self._view.index.version:
                    self._view = followed
        except Exception:
            log.exception("the index of gallery %s was not compacted", self._gallery.name)
        finally:
            with self._writing:
                self._since_compaction_began = None

    def _rebuilt(self) -> View:
        return View.build(self._records.contents(self._gallery), self._build_index)
