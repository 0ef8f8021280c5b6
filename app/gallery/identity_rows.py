"""The rows of identities. Functions here run within the caller's transaction."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, select, update

from app.gallery.changes import Change, GalleryRow, IdentityName, Outcome
from app.gallery.domain import Identity, Metadata
from app.gallery.errors import UnknownIdentity
from app.gallery.gallery_rows import current_version, next_version, set_version
from app.gallery.schema import identities, shots

# Key and time of creation. A key alone may be given again once an older backup has been restored.
Origin = tuple[int, float]


def find_identity(connection: Connection, gallery: GalleryRow, identity_id: str) -> IdentityName | None:
    """The key and label of an identity, if it is there."""
    query = select(identities.c.key, identities.c.label).where(_is(gallery, identity_id))
    row = connection.execute(query).one_or_none()
    return IdentityName(row.key, identity_id, row.label) if row else None


def known_identity(connection: Connection, gallery: GalleryRow, identity_id: str) -> IdentityName:
    """The key and label of an identity that has to be there.

    Raises:
        UnknownIdentity: it is not.
    """
    found = find_identity(connection, gallery, identity_id)
    if found is None:
        raise UnknownIdentity(gallery.name, identity_id)
    return found


def read_identity(connection: Connection, gallery: GalleryRow, identity_id: str) -> Identity:
    """One identity, with its shots counted; raises as `known_identity` does."""
    row = connection.execute(_identities().where(_is(gallery, identity_id))).one_or_none()
    if row is None:
        raise UnknownIdentity(gallery.name, identity_id)
    return _identity(row)


def list_identities(connection: Connection, gallery: GalleryRow, after: str | None, limit: int) -> list[Identity]:
    """At most `limit` identities in order of ids, beginning after the id `after`."""
    current_version(connection, gallery)
    page = _identities().where(identities.c.gallery_key == gallery.key)
    if after is not None:
        page = page.where(identities.c.identity_id > after)
    return [_identity(row) for row in connection.execute(page.order_by(identities.c.identity_id).limit(limit))]


def origins(connection: Connection, gallery: GalleryRow, identity_id: str | None = None) -> list[Origin]:
    """What identities of a gallery, one or all, keep for life, however they are called."""
    wanted = identities.c.gallery_key == gallery.key if identity_id is None else _is(gallery, identity_id)
    query = select(identities.c.key, identities.c.created_at).where(wanted)
    return [(row.key, row.created_at) for row in connection.execute(query.order_by(identities.c.key))]


def create_identity(
    connection: Connection,
    gallery: GalleryRow,
    identity_id: str,
    label: str | None,
    metadata: Metadata,
    version: int,
    now: float,
) -> IdentityName:
    """Add an identity that is not there; the gallery's version is the caller's to set."""
    new = insert(identities).values(
        gallery_key=gallery.key,
        identity_id=identity_id,
        label=label,
        metadata=metadata,
        version=version,
        created_at=now,
    )
    key = connection.execute(new.returning(identities.c.key)).scalar_one()
    return IdentityName(key, identity_id, label)


def put_identity(
    connection: Connection, gallery: GalleryRow, identity_id: str, label: str | None, metadata: Metadata, now: float
) -> Outcome[Identity]:
    """Add an identity, or replace its label and metadata."""
    version = next_version(connection, gallery)
    found = find_identity(connection, gallery, identity_id)
    if found is not None:
        return _replace(connection, gallery, identity_id, label, metadata)
    name = create_identity(connection, gallery, identity_id, label, metadata, version, now)
    set_version(connection, gallery, version)
    return Outcome(read_identity(connection, gallery, identity_id), Change(version, named=(name,)))


def update_identity(
    connection: Connection, gallery: GalleryRow, identity_id: str, label: str | None, metadata: Metadata | None
) -> Outcome[Identity]:
    """Set the label and the metadata, each unless it is None; raises as `known_identity` does."""
    stored = read_identity(connection, gallery, identity_id)
    return _replace(
        connection,
        gallery,
        identity_id,
        stored.label if label is None else label,
        stored.metadata if metadata is None else metadata,
    )


def _replace(
    connection: Connection, gallery: GalleryRow, identity_id: str, label: str | None, metadata: Metadata
) -> Outcome[Identity]:
    version = next_version(connection, gallery)
    stored = read_identity(connection, gallery, identity_id)
    if (stored.label, stored.metadata) == (label, metadata):
        return Outcome(stored)
    changed = update(identities).where(_is(gallery, identity_id))
    changed = changed.values(label=label, metadata=metadata, version=version).returning(identities.c.key)
    key = connection.execute(changed).scalar_one()
    set_version(connection, gallery, version)
    name = IdentityName(key, identity_id, label)
    return Outcome(read_identity(connection, gallery, identity_id), Change(version, named=(name,)))


def touch_identity(connection: Connection, name: IdentityName, version: int) -> None:
    """Record the name of an identity and that it, or its shots, have changed."""
    changed = update(identities).where(identities.c.key == name.key)
    connection.execute(changed.values(label=name.label, version=version))


def _is(gallery: GalleryRow, identity_id: str) -> ColumnElement[bool]:
    return and_(identities.c.gallery_key == gallery.key, identities.c.identity_id == identity_id)


def _identities() -> Select[Any]:
    counted = select(func.count()).where(shots.c.identity_key == identities.c.key).scalar_subquery()
    columns = (column for column in identities.c if column.name not in ("key", "gallery_key"))
    return select(*columns, counted.label("shots"))


def _identity(row: Row[Any]) -> Identity:
    return Identity(**row._mapping)
