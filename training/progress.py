"""Showing how far long work has come."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

TOLD_EVERY_SECONDS = 10.0


def watched(items: Sequence[T], title: str, clock: Callable[[], float] = time.monotonic) -> Iterator[T]:
    """Go through items under a progress bar on standard error; where that is no terminal, with a line now and then."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(items, title, console=console, transient=True)
        return
    told = clock()
    for done, item in enumerate(items):
        if (now := clock()) - told >= TOLD_EVERY_SECONDS:
            told = now
            console.out(f"{title}: {done} of {len(items)}", highlight=False)
        yield item
