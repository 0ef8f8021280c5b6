"""Shots that a gallery keeps no longer. Functions here run within the caller's transaction."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from app.gallery.changes import GalleryRow, Outcome
from app.gallery.erasure import erase_emptied, erase_of_many
from app.gallery.gallery_rows import current_version, read_gallery
from app.gallery.identity_rows import Origin
from app.gallery.schema import identities, shots

# Writers of the gallery wait while one lot is erased.
ERASED_AT_ONCE = 500


@dataclass(frozen=True)
class Expired:
    """What one identity lost.

    Attributes:
        shots: ids.
        gone: the identity itself, if these were its last ones.
    """

    identity_id: str
    shots: list[str]
    gone: list[Origin]


def erase_expired(connection: Connection, gallery: GalleryRow, now: float) -> Outcome[list[Expired]]:
    """Erase the oldest shots that are older than the gallery keeps them, and the identities that lose their last one.

    Returns:
        What was erased by identity; nothing where nothing is too old.
    """
    current_version(connection, gallery)
    ttl_seconds = read_gallery(connection, gallery).ttl_seconds
    if ttl_seconds is None:
        return Outcome([])
    old = (
        select(shots.c.key, shots.c.shot_id, shots.c.identity_key, identities.c.identity_id, identities.c.created_at)
        .join(identities, identities.c.key == shots.c.identity_key)
        .where(shots.c.gallery_key == gallery.key, shots.c.created_at <= now - ttl_seconds)
        .order_by(shots.c.created_at, shots.c.key)
        .limit(ERASED_AT_ONCE)
    )
    rows = connection.execute(old).all()
    change = erase_of_many(connection, gallery, shots.c.key.in_([row.key for row in rows]))
    if change is None:
        return Outcome([])
    owners = {row.identity_key: row for row in rows}
    gone = erase_emptied(connection, owners)
    expired = [
        Expired(
            owner.identity_id,
            [row.shot_id for row in rows if row.identity_key == key],
            [(key, owner.created_at)] if key in gone else [],
        )
        for key, owner in owners.items()
    ]
    return Outcome(expired, replace(change, erased_identities=gone))
