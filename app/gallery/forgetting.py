"""Carrying out an erasure again that the audit trail tells of. Functions here run within the caller's transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_

from app.gallery.audit import AuditEntry
from app.gallery.changes import GalleryRow
from app.gallery.erasure import erase_gallery, erase_identity, erase_with_emptied
from app.gallery.errors import UnknownIdentity
from app.gallery.gallery_rows import list_galleries
from app.gallery.schema import shots

ERASURES = ("erase-shot", "erase-identity", "erase-gallery")
AT_ONCE = 500


def forget(connection: Connection, entry: AuditEntry) -> bool:
    """Erase what an entry says was erased; whether any of it was there.

    Shots are known by their ids wherever they are, because they may have been moved to another identity or gallery
    between the backup and their erasure. An identity that loses its last shot by this goes too.
    """
    if entry.action not in ERASURES:
        return False
    shot_ids: Sequence[str] = entry.detail.get("shots", [])
    found = False
    for gallery in list_galleries(connection):
        found |= _forget_shots(connection, gallery, shot_ids)
        if gallery.name == entry.gallery:
            found |= _forget_named(connection, gallery, entry)
    return found


def _forget_named(connection: Connection, gallery: GalleryRow, entry: AuditEntry) -> bool:
    if entry.action == "erase-gallery":
        erase_gallery(connection, gallery, entry.at)
        return True
    if entry.action == "erase-identity" and entry.identity_id is not None:
        try:
            erase_identity(connection, gallery, entry.identity_id, entry.at)
        except UnknownIdentity:
            return False
        return True
    return False


def _forget_shots(connection: Connection, gallery: GalleryRow, shot_ids: Sequence[str]) -> bool:
    found = False
    for start in range(0, len(shot_ids), AT_ONCE):
        here = and_(shots.c.gallery_key == gallery.key, shots.c.shot_id.in_(list(shot_ids[start : start + AT_ONCE])))
        found |= bool(erase_with_emptied(connection, gallery, here).answer)
    return found
