"""Reading a whole gallery at once. Functions here run within the caller's transaction."""

import json
from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, Text, cast, func, select

from app.gallery.changes import Change, GalleryRow, IdentityName, Keys, ShotColumns
from app.gallery.errors import DamagedShot
from app.gallery.gallery_rows import current_version, read_gallery
from app.gallery.schema import embeddings, identities, shots
from app.gallery.slots import STORED, checksum

ROWS_AT_ONCE = 4096
_READ = ("key", "identity_key", "shot_id", "camera", "taken_at", "quality", "checksum")


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
    checksums = np.empty(count, np.int64)
    # Databases would put everything in order by copying all of it, embeddings included; arrays do it by key.
    described = select(*(shots.c[name] for name in _READ), cast(shots.c.metadata, Text)).where(here)
    start = 0
    for rows in _batches(connection, described):
        _describe(columns, checksums, slice(start, start + len(rows)), rows)
        start += len(rows)
    order = np.argsort(columns.keys, kind="stable")
    for column in (*columns.described(), checksums):
        column[:] = column[order]
    stored = select(shots.c.key, embeddings.c.content).join(embeddings, embeddings.c.slot == shots.c.slot).where(here)
    for rows in _batches(connection, stored):
        _embed(columns, checksums, gallery, rows)
    return columns


def _batches(connection: Connection, wanted: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    yield from connection.execute(wanted.execution_options(yield_per=ROWS_AT_ONCE)).partitions()


def _describe(columns: ShotColumns, checksums: Keys, here: slice, rows: Sequence[Row[Any]]) -> None:
    keys, owners, shot_ids, cameras, times, qualities, sums, metadata = zip(*rows, strict=True)
    columns.keys[here], columns.identity_keys[here], checksums[here] = keys, owners, sums
    # Cameras are few: each name is kept once.
    columns.shot_ids[here], columns.cameras[here] = shot_ids, [name and intern(name) for name in cameras]
    # None becomes NaN.
    columns.times[here], columns.qualities[here] = np.array(times, np.float64), qualities
    columns.metadata[here] = [None if text == "{}" else json.loads(text) or None for text in metadata]


def _embed(columns: ShotColumns, checksums: Keys, gallery: GalleryRow, rows: Sequence[Row[Any]]) -> None:
    keys, contents = zip(*rows, strict=True)
    places = np.searchsorted(columns.keys, keys)
    expected, shot_ids = checksums[places].tolist(), columns.shot_ids[places].tolist()
    for shot_id, content, total in zip(shot_ids, contents, expected, strict=True):
        check_content(gallery, shot_id.decode(), content, total)
    columns.embeddings[places] = np.frombuffer(b"".join(contents), STORED).reshape(len(rows), -1)
