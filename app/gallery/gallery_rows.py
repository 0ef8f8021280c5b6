"""The rows of galleries. Functions here run within the caller's transaction."""

from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from app.gallery.changes import Change, GalleryRow, Outcome
from app.gallery.domain import Metadata, Quality, Retention
from app.gallery.errors import GalleryExists, UnknownGallery
from app.gallery.schema import galleries

_COLUMNS = tuple(column for column in galleries.c if column.name != "version")


def list_galleries(connection: Connection) -> list[GalleryRow]:
    """Every gallery, in order of names."""
    return [_gallery_row(row) for row in connection.execute(select(*_COLUMNS).order_by(galleries.c.name))]


def read_gallery(connection: Connection, gallery: GalleryRow) -> GalleryRow:
    """A gallery's record as it is now."""
    return _gallery_row(connection.execute(select(*_COLUMNS).where(galleries.c.key == gallery.key)).one())


def create_gallery(
    connection: Connection,
    name: str,
    checkpoint: str,
    embedding_dim: int,
    label: str | None,
    metadata: Metadata,
    retention: Retention,
    quality: Quality,
    now: float,
) -> GalleryRow:
    """Add an empty gallery at version 0.

    Raises:
        GalleryExists: there is one of that name.
    """
    if connection.scalar(select(galleries.c.key).where(galleries.c.name == name)) is not None:
        raise GalleryExists(name)
    new = insert(galleries).values(
        name=name,
        checkpoint=checkpoint,
        embedding_dim=embedding_dim,
        label=label,
        metadata=metadata,
        version=0,
        created_at=now,
        ttl_seconds=retention.ttl_seconds,
        quality=quality,
    )
    return _gallery_row(connection.execute(new.returning(*_COLUMNS)).one())


def update_gallery(
    connection: Connection,
    gallery: GalleryRow,
    label: str | None,
    metadata: Metadata | None,
    retention: Retention | None,
    quality: Quality | None,
) -> Outcome[dict[str, Any]]:
    """Set the label, the metadata, how long shots are kept and what is asked of crops, each unless it is None.

    Returns:
        What is another value now.
    """
    version = next_version(connection, gallery)
    stored = read_gallery(connection, gallery)
    wanted = {
        "label": stored.label if label is None else label,
        "metadata": stored.metadata if metadata is None else metadata,
        "ttl_seconds": stored.ttl_seconds if retention is None else retention.ttl_seconds,
        "quality": stored.quality if quality is None else quality,
    }
    changed = {name: value for name, value in wanted.items() if value != getattr(stored, name)}
    if not changed:
        return Outcome({})
    connection.execute(update(galleries).where(galleries.c.key == gallery.key).values(changed))
    set_version(connection, gallery, version)
    return Outcome(changed, Change(version, gallery=read_gallery(connection, gallery)))


def current_version(connection: Connection, gallery: GalleryRow) -> int:
    """How many changes the gallery has seen.

    Raises:
        UnknownGallery: it has been erased.
    """
    return _version(connection.scalar(_version_of(gallery)), gallery)


def next_version(connection: Connection, gallery: GalleryRow) -> int:
    """The version that a change brings, with other writers of the gallery kept out; raises as `current_version`."""
    return _version(connection.scalar(_version_of(gallery).with_for_update()), gallery) + 1


def set_version(connection: Connection, gallery: GalleryRow, version: int) -> None:
    """Record that the gallery has changed."""
    connection.execute(update(galleries).where(galleries.c.key == gallery.key).values(version=version))


def _version_of(gallery: GalleryRow) -> Select[int]:
    return select(galleries.c.version).where(galleries.c.key == gallery.key)


def _version(found: int | None, gallery: GalleryRow) -> int:
    if found is None:
        raise UnknownGallery(gallery.name)
    return found


def _gallery_row(row: Row[tuple[object, ...]]) -> GalleryRow:
    return GalleryRow(**row._mapping)
