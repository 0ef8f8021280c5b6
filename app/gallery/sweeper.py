"""Erasing in time what is kept for a limited time."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 5.0

log = logging.getLogger("gaitkeeper")


@contextmanager
def sweeping(sweep: Callable[[], int], every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """Sweep at once and then again and again, in a thread of its own, until the block ends.

    Args:
        sweep: erases what is too old and says how much that was; may fail, and is then called again later.
        every_seconds: between two calls, and so how late an erasure may be.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(sweep, every_seconds, ended), name="gallery-sweeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _work(sweep: Callable[[], int], every_seconds: float, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            if erased := sweep():
                log.info("erased %d shots that were not to be kept any longer", erased)
        except Exception:
            # What is too old stays too old: the next round erases it.
            log.exception("shots that are too old could not be erased")
        ended.wait(every_seconds)
