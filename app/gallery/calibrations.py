"""What was fitted on a gallery's own shots, and whether it still is what they are.

Functions that take a connection run within the caller's transaction.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update

from app.gallery.changes import GalleryRow, Keys
from app.gallery.domain import Embeddings
from app.gallery.gallery_rows import current_version
from app.gallery.schema import calibrations
from app.gallery.view import View

SAMPLED_SHOTS = 2000
NO_CAMERA = -1
STALE_AFTER = 0.2


@dataclass(frozen=True)
class Moment:
    """A gallery at one version, so far as it has to be remembered to tell what is new since.

    Attributes:
        shots: how many it had.
        last_shot: the largest of their keys, 0 if it had none; later ones are larger.
    """

    gallery_version: int
    shots: int
    last_shot: int

    @classmethod
    def of(cls, view: View) -> "Moment":
        """The gallery as it is in a view."""
        keys = view.roster.keys.rows
        return cls(view.index.version, len(view.index), int(keys[-1]) if len(keys) else 0)


@dataclass(frozen=True)
class StoredCalibration:
    """A calibration of one gallery; the gallery does not look into it.

    Attributes:
        report: a JSON object.
        gallery_version, shots, last_shot: the moment of the shots that it was fitted on.
        fitted_at: in seconds since 1970.
        stale_since: when so many shots had come or gone that it should be fitted again; None if it should not.
    """

    report: dict[str, Any]
    gallery_version: int
    shots: int
    last_shot: int
    fitted_at: float
    stale_since: float | None = None


@dataclass(frozen=True)
class Drift:
    """How a gallery's shots differ from those that its calibration was fitted on.

    A shot that was given to somebody else is gone and new. One that came and went since is neither.

    Attributes:
        new: how many were enrolled since, and are there.
        gone: how many of those of then are there no longer.
        is_large: together they are more than a fifth of those of then.
    """

    new: int
    gone: int
    is_large: bool

    @classmethod
    def between(cls, stored: StoredCalibration, view: View) -> "Drift":
        """From the shots that a calibration was fitted on to those of a view."""
        roster = view.roster
        known = int(roster.keys.rows.searchsorted(stored.last_shot, "right"))
        kept = known - int(np.count_nonzero(roster.erased <= stored.last_shot))
        new, gone = len(view.index) - kept, stored.shots - kept
        return cls(new, gone, new + gone > STALE_AFTER * stored.shots)


@dataclass(frozen=True, eq=False)
class ShotSample:
    """Some people of a gallery with all, or many, of their shots.

    Attributes:
        embeddings: (N, D).
        identities: (N,) whose they are.
        cameras: (N,) a number for each camera; `NO_CAMERA` where nobody said which.
        moment: when they were there.
    """

    embeddings: Embeddings
    identities: Keys
    cameras: Keys
    moment: Moment


def read_calibration(connection: Connection, gallery: GalleryRow) -> StoredCalibration | None:
    """The gallery's calibration, if it has one."""
    wanted = select(*(column for column in calibrations.c if column.name != "gallery_key"))
    row = connection.execute(wanted.where(calibrations.c.gallery_key == gallery.key)).one_or_none()
    return StoredCalibration(**row._mapping) if row else None


def write_calibration(connection: Connection, gallery: GalleryRow, calibration: StoredCalibration) -> None:
    """Keep a calibration instead of the one before; raises UnknownGallery."""
    current_version(connection, gallery)
    erase_calibration(connection, gallery)
    connection.execute(insert(calibrations).values(gallery_key=gallery.key, **vars(calibration)))


def write_staleness(
    connection: Connection, gallery: GalleryRow, stored: StoredCalibration, since: float | None
) -> StoredCalibration:
    """Keep with a calibration since when it is stale; returns it."""
    mine = update(calibrations).where(calibrations.c.gallery_key == gallery.key)
    connection.execute(mine.values(stale_since=since))
    return replace(stored, stale_since=since)


def erase_calibration(connection: Connection, gallery: GalleryRow) -> bool:
    """Forget the gallery's calibration; whether it had one."""
    return bool(connection.execute(delete(calibrations).where(calibrations.c.gallery_key == gallery.key)).rowcount)


def sample_shots(view: View, seed: int) -> ShotSample:
    """People drawn by chance, one after the other, until they have enough shots."""
    roster = view.roster
    owners = np.unique(roster.owners_of(np.setdiff1d(roster.keys.rows, roster.erased)))
    chosen: list[Keys] = []
    for owner in np.random.default_rng(seed).permutation(owners).tolist():
        if sum(map(len, chosen)) >= SAMPLED_SHOTS:
            break
        chosen.append(roster.member(owner).shots)
    keys = np.concatenate([np.empty(0, np.int64), *chosen])[:SAMPLED_SHOTS]
    cameras = roster.cameras.rows[roster.places(keys)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(cameras))} | {None: NO_CAMERA}
    return ShotSample(
        view.index.embeddings(keys),
        roster.owners_of(keys),
        np.array([numbers[name] for name in cameras], np.int64),
        Moment.of(view),
    )
