"""One gallery at work: its records, and a view of them that is never behind what was acknowledged."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import reduce
from typing import Any, TypeVar

from app.gallery.calibrations import Drift, Moment
from app.gallery.changes import Change, GalleryRow, Outcome
from app.gallery.errors import StorageFailure
from app.gallery.index import IndexBuilder, OutOfStep, Stopped
from app.gallery.records import Records
from app.gallery.view import View

Answer = TypeVar("Answer")

FOLLOWED_AT_ONCE = 64

log = logging.getLogger("gaitkeeper")


class LiveGallery:
    """Keeps the view in step with the records.

    Readers take `view` and keep it as long as they like. Writers take turns: each commits, then publishes the view
    that follows, then returns.

    Attributes:
        calibration: what was fitted on the gallery itself, if anything was.

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
        self._see_whether_stale()
        self._compact_if_wanted()

    @property
    def view(self) -> View:
        """The gallery as it is now."""
        return self._view

    @property
    def is_compacting(self) -> bool:
        """Whether a better index is being made in the background."""
        return self._since_compaction_began is not None

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
                self._see_whether_stale()
            return outcome.answer

    def calibrate(self, report: dict[str, Any], moment: Moment) -> None:
        """Keep what was fitted on the gallery of a moment, instead of what was kept before."""
        with self._writing:
            self.calibration = self._records.write_calibration(self._gallery, report, moment)
            self._see_whether_stale()

    def forget_calibration(self) -> None:
        """Go back to what the checkpoint comes with."""
        with self._writing:
            self._records.erase_calibration(self._gallery)
            self.calibration = None

    def _catch_up(self) -> None:
        """Show what was committed although its caller was told of a failure."""
        if self._records.version(self._gallery) != self._view.index.version:
            self._view = self._rebuilt()
        self._in_doubt = False

    def _see_whether_stale(self) -> None:
        stored = self.calibration
        if stored is None:
            return
        is_stale = Drift.between(stored, self._view).is_large
        if is_stale != (stored.stale_since is not None):
            # What could not be written is seen again at the next change.
            with suppress(StorageFailure):
                self.calibration = self._records.write_staleness(self._gallery, stored, is_stale)

    def _publish(self, change: Change) -> None:
        try:
            self._view = self._view.apply(change)
        except OutOfStep:
            # An earlier transaction was committed, but failed before it got here.
            log.warning("the index of gallery %s is rebuilt", self._gallery.name, exc_info=True)
            self._view = self._rebuilt()
        if self._since_compaction_began is not None:
            self._since_compaction_began.append(change)
        else:
            self._compact_if_wanted()

    def _compact_if_wanted(self) -> None:
        if self._view.index.wants_compaction:
            self._since_compaction_began = []
            self._background.submit(self._compact, self._view)

    def _compact(self, view: View) -> None:
        try:
            compacted, done = view.compacted(), 0
            while done >= 0:
                # The two views may share what grows, so it is for one thread at a time; writers get their turns.
                with self._writing:
                    compacted, done = self._followed(compacted, done)
        except Exception as error:
            if not isinstance(error, Stopped):
                log.exception("the index of gallery %s was not compacted", self._gallery.name)
            with self._writing:
                self._since_compaction_began = None

    def _followed(self, compacted: View, done: int) -> tuple[View, int]:
        """Some of the changes since compaction began, applied; -1 once there are no more and the view is shown."""
        changes = self._since_compaction_began or []
        followed = reduce(View.apply, changes[done : done + FOLLOWED_AT_ONCE], compacted)
        if done + FOLLOWED_AT_ONCE < len(changes):
            return followed, done + FOLLOWED_AT_ONCE
        # A view that was built anew meanwhile knows more.
        if followed.index.version == self._view.index.version:
            self._view = followed
        self._since_compaction_began = None
        self._compact_if_wanted()
        return followed, -1

    def _rebuilt(self) -> View:
        return View.build(self._records.contents(self._gallery), self._build_index)
