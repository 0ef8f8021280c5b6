"""What a batcher tells of itself."""

from collections.abc import Sequence
from typing import Protocol


class Observer(Protocol):
    """Who wants to know what a batcher does."""

    def ran(self, queue_seconds: Sequence[float], forward_seconds: float) -> None:
        """A batch succeeded; its items waited so long each."""

    def shed(self, reason: str) -> None:
        """An item or a request was refused or dropped: "count", "bytes", "age", "deadline" or "abandoned"."""

    def failed(self, error: Exception) -> None:
        """An item failed, or the machine under a whole batch."""


class Nobody:
    """An observer that does not look."""

    def ran(self, queue_seconds: Sequence[float], forward_seconds: float) -> None:
        """Ignored."""

    def shed(self, reason: str) -> None:
        """Ignored."""

    def failed(self, error: Exception) -> None:
        """Ignored."""
