"""Reading a whole gallery at once. Functions here run within the caller's transaction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from app.gallery.changes import Change, GalleryRow, IdentityName, ShotColumns
from app.gallery.errors import DamagedShot
from app.gallery.gallery_rows import current_version, read_gallery
from app.gallery.schema import embeddings, identities, shots
from app.gallery.slots import STORED, checksum

ROWS_AT_ONCE = 4096
_READ = ("key", "identity_key", "shot_id", "camera", "taken_at", "quality", "metadata", "checksum")


def read_contents(connection: Connection, gallery: GalleryRow) -> Change:
    """All of a gallery, as the change that makes it from nothing.

    Raises:
        DamagedShot: an embedding does not fit its checksum.
        UnknownGallery: it has been erased.
    """
    version = current_version(connection, gallery)
    names = select(identities.c.key, identities.c.identity_id, identities.c.label)
    rows = connection.execute(names.where(identities.c.gallery_key == gallery.key))
    named = tuple(IdentityName(*row) for row in rows)
    return Change(
        version, gallery=read_gallery(connection, gallery), named=named, enrolled=_read_shots(connection, gallery)
    )


def check_content(gallery: GalleryRow, shot_id: str, content: bytes, expected: int) -> None:
    """Check a stored embedding against its checksum; raises DamagedShot."""
    if len(content) != gallery.embedding_dim * STORED.itemsize or checksum(shot_id, content) != expected:
        raise DamagedShot(gallery.name, shot_id)


def _read_shots(connection: Connection, gallery: GalleryRow) -> ShotColumns:
    here = shots.c.gallery_key == gallery.key
    count = connection.scalar(select(func.count()).select_from(shots).where(here)) or 0
    columns = ShotColumns.empty(count, gallery.embedding_dim)
    wanted = (
        select(*(shots.c[name] for name in _READ), embeddings.c.content)
        .join(embeddings, embeddings.c.slot == shots.c.slot)
        .where(here)
        .order_by(shots.c.key)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    start = 0
    for rows in connection.execute(wanted).partitions():
        _fill(columns, slice(start, start + len(rows)), gallery, rows)
        start += len(rows)
    return columns


def _fill(columns: ShotColumns, here: slice, gallery: GalleryRow, rows: Sequence[Sequence[Any]]) -> None:
    keys, owners, shot_ids, cameras, times, qualities, metadata, checksums, contents = zip(*rows, strict=True)
    for shot_id, expected, content in zip(shot_ids, checksums, contents, strict=True):
        check_content(gallery, shot_id, content, expected)
    columns.keys[here], columns.identity_keys[here] = keys, owners
    columns.shot_ids[here], columns.cameras[here] = shot_ids, cameras
    # None becomes NaN.
    columns.times[here], columns.qualities[here] = np.array(times, np.float64), qualities
    columns.metadata[here] = [entries or None for entries in metadata]
    columns.embeddings[here] = np.frombuffer(b"".join(contents), STORED).reshape(len(rows), -1)
