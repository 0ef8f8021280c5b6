"""Renaming, merging, splitting and moving identities. Functions here run within the caller's transaction.

A shot that moves keeps its id and its embedding's slot, but gets a new key, as if it had been enrolled after all
others: an index never has to change what it holds.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from app.gallery.changes import Change, GalleryRow, IdentityName, Keys, Outcome, ShotColumns
from app.gallery.contents import check_contents
from app.gallery.domain import Moved
from app.gallery.enrolment import columns_of
from app.gallery.erasure import erase_shots
from app.gallery.errors import IdentityExists, UnknownShot
from app.gallery.gallery_rows import next_version, set_version
from app.gallery.idempotency import spend
from app.gallery.identity_rows import (
    create_identity,
    find_identity,
    known_identity,
    read_identity,
    touch_identity,
)
from app.gallery.schema import embeddings, idempotency_keys, identities, shots
from app.gallery.slots import STORED

LOOKED_UP_AT_ONCE = 1000


def rename_identity(connection: Connection, gallery: GalleryRow, identity_id: str, new_id: str) -> Outcome[Moved]:
    """Call an identity otherwise.

    Raises:
        IdentityExists: somebody is called so.
        UnknownIdentity: there is no such identity.
    """
    version = next_version(connection, gallery)
    name = known_identity(connection, gallery, identity_id)
    shot_ids = list(
        connection.scalars(select(shots.c.shot_id).where(shots.c.identity_key == name.key).order_by(shots.c.key))
    )
    if new_id == identity_id:
        return Outcome(Moved(gallery.name, identity_id, shot_ids, [], version - 1))
    _refuse_known(connection, gallery, new_id)
    renamed = update(identities).where(identities.c.key == name.key)
    connection.execute(renamed.values(identity_id=new_id, version=version))
    set_version(connection, gallery, version)
    change = Change(version, named=(replace(name, identity_id=new_id),))
    return Outcome(Moved(gallery.name, new_id, shot_ids, [], version), change)


def merge_identities(
    connection: Connection, gallery: GalleryRow, into: str, identity_id: str, now: float
) -> Outcome[Moved]:
    """Give all shots of an identity to another one, and drop it; the other one's label and metadata stay.

    Raises:
        UnknownIdentity: one of them is not there.
        ValueError: they are the same.
    """
    if into == identity_id:
        raise ValueError(f"{identity_id!r} cannot be merged with itself")
    version = next_version(connection, gallery)
    target = known_identity(connection, gallery, into)
    source = known_identity(connection, gallery, identity_id)
    theirs = shots.c.identity_key == source.key
    moved, change = _move(connection, gallery, gallery, theirs, target, version, now)
    # Their enrolments are answered as before: the shots that they name are still here.
    kept = update(idempotency_keys).where(idempotency_keys.c.identity_key == source.key)
    connection.execute(kept.values(identity_key=target.key))
    connection.execute(delete(identities).where(identities.c.key == source.key))
    touch_identity(connection, target, version)
    set_version(connection, gallery, version)
    return Outcome(moved, replace(change, erased_identities=(source.key,)))


def move_shots(
    connection: Connection,
    gallery: GalleryRow,
    identity_id: str,
    shot_ids: Sequence[str],
    to: str,
    new: bool,
    now: float,
) -> Outcome[Moved]:
    """Give some shots of an identity to another one; `new` says that this one must not be there yet.

    Raises:
        IdentityExists: the other one is there, though it should be new.
        UnknownIdentity: an identity is not there.
        UnknownShot: the identity has no such shot.
        ValueError: no shots are named, or both identities are the same.
    """
    if to == identity_id or not shot_ids:
        raise ValueError("shots move to somebody else, one at least")
    version = next_version(connection, gallery)
    source = known_identity(connection, gallery, identity_id)
    _check_shots(connection, gallery, source, shot_ids)
    named: tuple[IdentityName, ...] = ()
    if new:
        _refuse_known(connection, gallery, to)
        named = (create_identity(connection, gallery, to, None, {}, version, now),)
    target = named[0] if named else known_identity(connection, gallery, to)
    chosen = and_(shots.c.identity_key == source.key, shots.c.shot_id.in_(list(shot_ids)))
    moved, change = _move(connection, gallery, gallery, chosen, target, version, now)
    for name in (source, target):
        touch_identity(connection, name, version)
    set_version(connection, gallery, version)
    return Outcome(moved, replace(change, named=named))


def transfer_identity(
    connection: Connection, gallery: GalleryRow, identity_id: str, to: GalleryRow, now: float
) -> Outcome[Outcome[Moved]]:
    """Move an identity with its shots, label and metadata to another gallery of the same checkpoint.

    Returns:
        The change of the gallery that it left; the answer holds that of the one where it went.

    Raises:
        IdentityExists: the other gallery knows somebody of that name.
        UnknownIdentity: there is no such identity.
    """
    left, reached = next_version(connection, gallery), next_version(connection, to)
    stored = read_identity(connection, gallery, identity_id)
    source = known_identity(connection, gallery, identity_id)
    _refuse_known(connection, to, identity_id)
    target = create_identity(connection, to, identity_id, stored.label, stored.metadata, reached, now)
    theirs = shots.c.identity_key == source.key
    moved, change = _move(connection, gallery, to, theirs, target, reached, now)
    spend(connection, idempotency_keys.c.identity_key == source.key)
    connection.execute(delete(identities).where(identities.c.key == source.key))
    set_version(connection, gallery, left)
    set_version(connection, to, reached)
    arrival = Change(reached, named=(target,), enrolled=change.enrolled)
    departure = Change(left, erased_identities=(source.key,), erased_shots=change.erased_shots)
    return Outcome(Outcome(moved, arrival), departure)


def _move(
    connection: Connection,
    gallery: GalleryRow,
    to: GalleryRow,
    chosen: ColumnElement[bool],
    target: IdentityName,
    version: int,
    now: float,
) -> tuple[Moved, Change]:
    """Move shots, and erase those whose picture the target has; the change has no names yet."""
    there = select(shots.c.content_id).where(shots.c.identity_key == target.key)
    erased, duplicates = erase_shots(connection, gallery, and_(chosen, shots.c.content_id.in_(there)))
    rows = [dict(row._mapping) for row in connection.execute(select(shots).where(chosen).order_by(shots.c.key))]
    gone = np.array([row.pop("key") for row in rows], np.int64)
    shot_ids = [row["shot_id"] for row in rows]
    columns = _reinsert(connection, to, chosen, rows, target, version) if rows else None
    moved = Moved(to.name, target.identity_id, shot_ids, duplicates, version)
    return moved, Change(version, enrolled=columns, erased_shots=np.sort(np.concatenate([erased, gone])))


def _reinsert(
    connection: Connection,
    to: GalleryRow,
    chosen: ColumnElement[bool],
    rows: list[dict[str, Any]],
    target: IdentityName,
    version: int,
) -> ShotColumns:
    contents = _contents(connection, to, rows)
    connection.execute(delete(shots).where(chosen))
    values = [row | {"gallery_key": to.key, "identity_key": target.key, "version": version} for row in rows]
    added = insert(shots).returning(shots.c.key, sort_by_parameter_order=True)
    keys: Keys = np.array(connection.scalars(added, values).all(), np.int64)
    return columns_of(keys, values, np.frombuffer(b"".join(contents), STORED).reshape(len(rows), -1))


def _contents(connection: Connection, gallery: GalleryRow, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    found: dict[int, bytes] = {}
    for start in range(0, len(rows), LOOKED_UP_AT_ONCE):
        slots = [row["slot"] for row in rows[start : start + LOOKED_UP_AT_ONCE]]
        query = select(embeddings.c.slot, embeddings.c.content).where(embeddings.c.slot.in_(slots))
        found.update((row.slot, row.content) for row in connection.execute(query))
    contents = [found.get(row["slot"], b"") for row in rows]
    expected = np.array([row["checksum"] for row in rows], np.int64)
    check_contents(gallery, [row["shot_id"].encode() for row in rows], contents, expected)
    return contents


def _check_shots(connection: Connection, gallery: GalleryRow, identity: IdentityName, shot_ids: Sequence[str]) -> None:
    there = set(connection.scalars(select(shots.c.shot_id).where(shots.c.identity_key == identity.key)))
    for shot_id in shot_ids:
        if shot_id not in there:
            raise UnknownShot(gallery.name, identity.identity_id, shot_id)


def _refuse_known(connection: Connection, gallery: GalleryRow, identity_id: str) -> None:
    if find_identity(connection, gallery, identity_id) is not None:
        raise IdentityExists(gallery.name, identity_id)
