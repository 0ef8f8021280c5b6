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
from app.gallery.slots import STORED, checksums

# Few enough that a batch of embeddings stays in the processor's cache until it is checked and copied.
ROWS_AT_ONCE = 256
_READ = ("key", "identity_key", "shot_id", "camera", "taken_at", "quality", "checksum")


def read_contents(connection: Connection, gallery: GalleryRow) -> Change:
    """All of a gallery, as the change that makes it from nothing.

    Raises:
        DamagedShot: an embedding is missing, or does not fit its checksum.
        UnknownGallery: it has been erased.
    """
    version = current_version(connection, gallery)
    names = select(identities.c.key, identities.c.identity_id, identities.c.label)
    rows = connection.execute(names.where(identities.c.gallery_key == gallery.key))
    named = tuple(IdentityName(*row) for row in rows)
    return Change(
        version, gallery=read_gallery(connection, gallery), named=named, enrolled=_read_shots(connection, gallery)
    )


def check_contents(
    gallery: GalleryRow, shot_ids: Sequence[bytes], contents: Sequence[bytes | None], expected: Keys
) -> None:
    """Check stored embeddings, None where there is none, against their checksums (N,).

    Raises:
        DamagedShot: for the first that is missing or does not fit.
    """
    stored = [content or b"" for content in contents]
    lengths = np.fromiter(map(len, stored), np.int64, len(stored))
    fits = (checksums(shot_ids, stored) == expected) & (lengths == gallery.embedding_dim * STORED.itemsize)
    if not fits.all():
        raise DamagedShot(gallery.name, shot_ids[int(fits.argmin())].decode())


def _read_shots(connection: Connection, gallery: GalleryRow) -> ShotColumns:
    here = shots.c.gallery_key == gallery.key
    count = connection.scalar(select(func.count()).select_from(shots).where(here)) or 0
    columns = ShotColumns.empty(count, gallery.embedding_dim)
    expected = np.empty(count, np.int64)
    # Databases would put everything in order by copying all of it, embeddings included; arrays do it by key.
    described = select(*(shots.c[name] for name in _READ), cast(shots.c.metadata, Text)).where(here)
    start = 0
    for rows in _batches(connection, described):
        _describe(columns, expected, slice(start, start + len(rows)), rows)
        start += len(rows)
    order = np.argsort(columns.keys, kind="stable")
    for column in (*columns.described(), expected):
        column[:] = column[order]
    # A shot without an embedding has to come by too, to be told.
    stored = shots.outerjoin(embeddings, embeddings.c.slot == shots.c.slot)
    for rows in _batches(connection, select(shots.c.key, embeddings.c.content).select_from(stored).where(here)):
        _embed(columns, expected, gallery, rows)
    return columns


def _batches(connection: Connection, wanted: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    yield from connection.execute(wanted.execution_options(yield_per=ROWS_AT_ONCE)).partitions()


def _describe(columns: ShotColumns, expected: Keys, here: slice, rows: Sequence[Row[Any]]) -> None:
    keys, owners, shot_ids, cameras, times, qualities, sums, metadata = zip(*rows, strict=True)
    columns.keys[here], columns.identity_keys[here], expected[here] = keys, owners, sums
    # Cameras are few: each name is kept once.
    columns.shot_ids[here], columns.cameras[here] = shot_ids, [name and intern(name) for name in cameras]
    # None becomes NaN.
    columns.times[here], columns.qualities[here] = np.array(times, np.float64), qualities
    columns.metadata[here] = [None if text == "{}" else json.loads(text) or None for text in metadata]


def _embed(columns: ShotColumns, expected: Keys, gallery: GalleryRow, rows: Sequence[Row[Any]]) -> None:
    keys, contents = zip(*rows, strict=True)
    places = np.searchsorted(columns.keys, keys)
    check_contents(gallery, columns.shot_ids[places].tolist(), contents, expected[places])
    columns.embeddings[places] = np.frombuffer(b"".join(contents), STORED).reshape(len(rows), -1)
