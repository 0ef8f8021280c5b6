"""The audit trail of what changes no record, written behind the back of those who wait for answers."""

import logging
import threading
from collections.abc import Callable, Sequence

from app.gallery.audit import Deed
from app.gallery.errors import StorageFailure

EVERY_SECONDS = 0.25
MOST_KEPT = 100_000

log = logging.getLogger("gaitkeeper")


class Trail:
    """Collects deeds and enters them together: a commit for every query would cost more than the query.

    What was collected in the last quarter of a second is lost if the process is killed.

    Args:
        enter: writes deeds; raises StorageFailure where it cannot, and is asked again later.
    """

    def __init__(self, enter: Callable[[Sequence[Deed]], None]) -> None:
        self._enter = enter
        self._waiting: list[Deed] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="audit-trail", daemon=True)
        self._thread.start()

    def add(self, deed: Deed) -> None:
        """Have a deed entered soon."""
        with self._lock:
            self._waiting.append(deed)

    def flush(self) -> None:
        """Enter now what was collected."""
        with self._writing:
            with self._lock:
                deeds, self._waiting = self._waiting, []
            if not deeds:
                return
            try:
                self._enter(deeds)
            except StorageFailure as error:
                log.error("%d queries are not in the audit trail yet: %s", len(deeds), error)
                with self._lock:
                    self._waiting = [*deeds, *self._waiting][-MOST_KEPT:]

    def close(self) -> None:
        """Enter what was collected, and end."""
        self._closed.set()
        self._thread.join()
        self.flush()

    def _work(self) -> None:
        while not self._closed.wait(EVERY_SECONDS):
            self.flush()
