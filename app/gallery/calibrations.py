"""What was fitted on a gallery's own shots. Functions here run within the caller's transaction, but the last one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from app.gallery.changes import GalleryRow, Keys
from app.gallery.domain import Embeddings
from app.gallery.gallery_rows import current_version
from app.gallery.schema import calibrations
from app.gallery.view import View

SAMPLED_SHOTS = 2000
NO_CAMERA = -1


@dataclass(frozen=True)
class StoredCalibration:
    """A calibration of one gallery; the gallery does not look into it.

    Attributes:
        report: a JSON object.
        gallery_version: of the shots that it was fitted on.
        shots: how many the gallery had then.
        fitted_at: in seconds since 1970.
    """

    report: dict[str, Any]
    gallery_version: int
    shots: int
    fitted_at: float


@dataclass(frozen=True, eq=False)
class ShotSample:
    """Some people of a gallery with all, or many, of their shots.

    Attributes:
        embeddings: (N, D).
        identities: (N,) whose they are.
        cameras: (N,) a number for each camera; `NO_CAMERA` where nobody said which.
        gallery_version: at which they were there.
    """

    embeddings: Embeddings
    identities: Keys
    cameras: Keys
    gallery_version: int


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


def erase_calibration(connection: Connection, gallery: GalleryRow) -> None:
    """Forget the gallery's calibration, if it has one."""
    connection.execute(delete(calibrations).where(calibrations.c.gallery_key == gallery.key))


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
        view.index.version,
    )
