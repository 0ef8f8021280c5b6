"""Showing how far long work has come."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def watched(items: Sequence[T], title: str) -> Iterator[T]:
    """Go through items under a progress bar on standard error; where that is no terminal nothing is shown."""
    console = Console(stderr=True)
    yield from track(items, title, console=console, transient=True, disable=not console.is_terminal)
