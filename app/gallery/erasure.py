"""Erasing shots, identities and galleries. Functions here run within the caller's transaction."""

from collections.abc import Collection

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, select, update

from app.gallery.changes import Change, GalleryRow, Keys, Outcome
from app.gallery.domain import ErasureReceipt
from app.gallery.errors import UnknownShot
from app.gallery.gallery_rows import next_version, set_version
from app.gallery.idempotency import spend
from app.gallery.identity_rows import known_identity, touch_identity
from app.gallery.schema import calibrations, galleries, idempotency_keys, identities, shots
from app.gallery.slots import blank_slots


def erase_shot(
    connection: Connection, gallery: GalleryRow, identity_id: str, shot_id: str, now: float
) -> Outcome[ErasureReceipt]:
    """Erase one shot; its identity stays.

    Raises:
        UnknownIdentity: there is no such identity.
        UnknownShot: it has no such shot.
    """
    version = next_version(connection, gallery)
    identity = known_identity(connection, gallery, identity_id)
    erased, shot_ids = erase_shots(
        connection, gallery, and_(shots.c.identity_key == identity.key, shots.c.shot_id == shot_id)
    )
    if not shot_ids:
        raise UnknownShot(gallery.name, identity_id, shot_id)
    touch_identity(connection, identity, version)
    set_version(connection, gallery, version)
    receipt = ErasureReceipt(gallery.name, identity_id, shot_ids, now, version)
    return Outcome(receipt, Change(version, erased_shots=erased))


def erase_identity(
    connection: Connection, gallery: GalleryRow, identity_id: str, now: float
) -> Outcome[ErasureReceipt]:
    """Erase an identity, its shots, and the answers kept for its idempotency keys.

    Raises:
        UnknownIdentity: there is no such identity.
    """
    version = next_version(connection, gallery)
    key = known_identity(connection, gallery, identity_id).key
    erased, shot_ids = erase_shots(connection, gallery, shots.c.identity_key == key)
    spend(connection, idempotency_keys.c.identity_key == key)
    connection.execute(delete(identities).where(identities.c.key == key))
    set_version(connection, gallery, version)
    receipt = ErasureReceipt(gallery.name, identity_id, shot_ids, now, version)
    return Outcome(receipt, Change(version, erased_identities=(key,), erased_shots=erased))


def erase_gallery(connection: Connection, gallery: GalleryRow, now: float) -> ErasureReceipt:
    """Erase a gallery with all that is in it."""
    version = next_version(connection, gallery)
    _, shot_ids = erase_shots(connection, gallery, shots.c.gallery_key == gallery.key)
    for table in (idempotency_keys, calibrations, identities):
        connection.execute(delete(table).where(table.c.gallery_key == gallery.key))
    connection.execute(delete(galleries).where(galleries.c.key == gallery.key))
    return ErasureReceipt(gallery.name, None, shot_ids, now, version)


def erase_shots(connection: Connection, gallery: GalleryRow, doomed: ColumnElement[bool]) -> tuple[Keys, list[str]]:
    """Erase some shots of a gallery; returns their keys, ascending, and ids. Versions are the caller's to set."""
    found = connection.execute(select(shots.c.key, shots.c.shot_id).where(doomed).order_by(shots.c.key)).all()
    blank_slots(connection, gallery.embedding_dim, doomed)
    connection.execute(delete(shots).where(doomed))
    return np.array([key for key, _ in found], np.int64), [shot_id for _, shot_id in found]


def erase_of_many(connection: Connection, gallery: GalleryRow, doomed: ColumnElement[bool]) -> Change | None:
    """Erase some shots of a gallery, whosoever they are; their identities stay. None where there are none."""
    version = next_version(connection, gallery)
    owners = list(connection.scalars(select(shots.c.identity_key).where(doomed).distinct()))
    if not owners:
        return None
    keys, _ = erase_shots(connection, gallery, doomed)
    connection.execute(update(identities).where(identities.c.key.in_(owners)).values(version=version))
    set_version(connection, gallery, version)
    return Change(version, erased_shots=keys)


def erase_emptied(connection: Connection, identity_keys: Collection[int]) -> tuple[int, ...]:
    """Erase those of some identities that have no shots, and say which. Versions are the caller's to set."""
    empty = and_(identities.c.key.in_(identity_keys), ~exists().where(shots.c.identity_key == identities.c.key))
    gone = tuple(connection.scalars(select(identities.c.key).where(empty)))
    spend(connection, idempotency_keys.c.identity_key.in_(gone))
    connection.execute(delete(identities).where(identities.c.key.in_(gone)))
    return gone
