"""Shots that a gallery keeps no longer. Functions here run within the caller's transaction."""

from sqlalchemy import Connection, select

from app.gallery.changes import GalleryRow, Outcome
from app.gallery.erasure import erase_with_emptied
from app.gallery.gallery_rows import current_version, read_gallery
from app.gallery.schema import identities, shots

# Writers of the gallery wait while one lot is erased.
ERASED_AT_ONCE = 500


def erase_expired(connection: Connection, gallery: GalleryRow, now: float) -> Outcome[dict[str, list[str]]]:
    """Erase the oldest shots that are older than the gallery keeps them, and the identities that lose their last one.

    Returns:
        The ids of the shots by identity; none where nothing is too old.
    """
    current_version(connection, gallery)
    ttl_seconds = read_gallery(connection, gallery).ttl_seconds
    if ttl_seconds is None:
        return Outcome({})
    old = (
        select(shots.c.key, shots.c.shot_id, identities.c.identity_id)
        .join(identities, identities.c.key == shots.c.identity_key)
        .where(shots.c.gallery_key == gallery.key, shots.c.created_at <= now - ttl_seconds)
        .order_by(shots.c.created_at, shots.c.key)
        .limit(ERASED_AT_ONCE)
    )
    erased: dict[str, list[str]] = {}
    keys = []
    for key, shot_id, identity_id in connection.execute(old):
        keys.append(key)
        erased.setdefault(identity_id, []).append(shot_id)
    if not keys:
        return Outcome({})
    return Outcome(erased, erase_with_emptied(connection, gallery, shots.c.key.in_(keys)).change)
