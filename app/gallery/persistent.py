"""Values that are never changed, only followed by others, and cheaply so: whoever reads one needs no lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key")
Value = TypeVar("Value")

SPARE_ROWS = 8
SPARE_SHARE = 8
OVERLAY_SIZE = 1024


@dataclass(eq=False)
class _Buffer:
    rows: NDArray[Any]
    used: int


class GrowingArray:
    """Rows that only become more; those who follow share a buffer, and each sees its own rows of it.

    Args:
        rows: the first ones; neither copied nor written to.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self._buffer, self._length = _Buffer(rows, len(rows)), len(rows)

    def __len__(self) -> int:
        return self._length

    @property
    def rows(self) -> NDArray[Any]:
        """All rows; not to be written to."""
        return self._buffer.rows[: self._length]

    def extended(self, rows: NDArray[Any]) -> "GrowingArray":
        """These rows and those after them. Only one thread at a time may extend."""
        end = self._length + len(rows)
        buffer = self._buffer
        # Room that another follower has used is not ours.
        if buffer.used > self._length or end > len(buffer.rows):
            buffer = _Buffer(
                np.empty((end + end // SPARE_SHARE + SPARE_ROWS, *buffer.rows.shape[1:]), buffer.rows.dtype), end
            )
            buffer.rows[: self._length] = self.rows
        buffer.rows[self._length : end] = rows
        buffer.used = end
        longer = GrowingArray(rows)
        longer._buffer, longer._length = buffer, end
        return longer


class PersistentMap(Generic[Key, Value]):
    """A mapping whose followers share all but the latest changes.

    Args:
        entries: the first ones; neither copied nor written to.
    """

    def __init__(self, entries: Mapping[Key, Value]) -> None:
        self._base: Mapping[Key, Value] = entries
        self._overlay: dict[Key, Value | None] = {}
        self._length = len(entries)

    def __len__(self) -> int:
        return self._length

    def get(self, key: Key) -> Value | None:
        """What belongs to the key, or None."""
        return self._overlay[key] if key in self._overlay else self._base.get(key)

    def updated(self, changes: Mapping[Key, Value | None]) -> "PersistentMap[Key, Value]":
        """These entries with the changed ones; None removes."""
        follower = PersistentMap(self._base)
        follower._overlay = {**self._overlay, **changes}
        there = sum(self.get(key) is not None for key in changes)
        follower._length = self._length - there + sum(value is not None for value in changes.values())
        if len(follower._overlay) <= OVERLAY_SIZE:
            return follower
        merged = {**self._base, **follower._overlay}
        return PersistentMap({key: value for key, value in merged.items() if value is not None})
