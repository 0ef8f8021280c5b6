"""Which shots a filter takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import Keys
from app.gallery.domain import ShotFilter
from app.gallery.roster import Roster

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Taken:
    """The shots of a roster that a filter takes.

    Attributes:
        mask: (N,) over the roster's columns; erased shots are not taken.
        keys: (T,) ascending, of those that are.
        identities: how many people they show.
    """

    mask: Mask
    keys: Keys
    identities: int


def take(roster: Roster, wanted: ShotFilter) -> Taken:
    """Apply a filter; the cheap conditions first, metadata only where they hold."""
    mask = np.ones(len(roster.keys.rows), bool)
    mask[roster.places(roster.erased)] = False
    cameras, times = roster.cameras.rows, roster.times.rows
    if wanted.cameras is not None:
        mask &= _is_any(cameras, wanted.cameras)
    mask &= ~_is_any(cameras, wanted.without_cameras)
    # NaN is in no range.
    if wanted.taken_from is not None:
        mask &= times >= wanted.taken_from
    if wanted.taken_before is not None:
        mask &= times < wanted.taken_before
    if wanted.metadata:
        rows = np.flatnonzero(mask)
        mask[rows] = [_has(entries, wanted) for entries in roster.metadata.rows[rows]]
    return Taken(mask, roster.keys.rows[mask], len(np.unique(roster.owners.rows[mask])))


def _is_any(cameras: NDArray[np.object_], names: frozenset[str]) -> Mask:
    mask = np.zeros(len(cameras), bool)
    for name in names:
        mask |= cameras == name
    return mask


def _has(entries: dict[str, object] | None, wanted: ShotFilter) -> bool:
    return entries is not None and all(
        key in entries and _same(entries[key], value) for key, value in wanted.metadata.items()
    )


def _same(a: object, b: object) -> bool:
    # JSON tells true from 1; Python does not.
    return a == b and isinstance(a, bool) == isinstance(b, bool)
