"""Carrying out again, in a restored database, the erasures that an audit trail tells of.

Functions here run within the caller's transaction.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, delete, exists, select, update

from app.gallery.audit import AuditEntry
from app.gallery.changes import GalleryRow
from app.gallery.erasure import erase_emptied, erase_gallery, erase_of_many
from app.gallery.gallery_rows import list_galleries
from app.gallery.idempotency import spend
from app.gallery.identity_rows import Origin, origins
from app.gallery.schema import calibrations, galleries, idempotency_keys, identities, shots

AT_ONCE = 500
# Moving shots erases those whose picture is there already.
DUPLICATES_OF = ("merge", "move-shots")


def forget(connection: Connection, entries: Iterable[AuditEntry]) -> int:
    """Erase what was erased since, and nothing else.

    Shots are known by their ids, wherever they went before they were erased; identities by their origins, however they
    were called by then. An identity or a gallery that is gone, but some of whose shots live on elsewhere, stays for
    these, without its label and metadata.

    Args:
        entries: all that follow the last one of the database's own trail, in order.

    Returns:
        How many entries concerned something that was there.
    """
    rows = list_galleries(connection)
    there = {origin for gallery in rows for origin in origins(connection, gallery)}
    before: dict[Origin, Origin] = {}
    gone: set[Origin] = set()
    closed: list[GalleryRow] = []
    count = 0
    for entry in entries:
        if entry.action == "transfer":
            before |= _transferred(entry, before)
        ended = {before.get(origin, origin) for origin in _gone(connection, rows, entry)} & there
        erased = [_forget_shots(connection, gallery, _erased_shots(entry)) for gallery in rows]
        closing = [gallery for gallery in rows if gallery not in closed and _closes(entry, gallery)]
        gone |= ended
        closed += closing
        count += bool(ended or any(erased) or closing)
    _forget_identities(connection, sorted(key for key, _ in gone))
    for gallery in closed:
        _forget_gallery(connection, gallery)
    return count


def _closes(entry: AuditEntry, gallery: GalleryRow) -> bool:
    # Galleries keep their names, so the first that is erased under one is the one that the backup has.
    return entry.action == "erase-gallery" and entry.gallery == gallery.name


def _transferred(entry: AuditEntry, before: dict[Origin, Origin]) -> dict[Origin, Origin]:
    """What an identity that went to another gallery was in the backup, by what it is now."""
    pairs = zip(_listed(entry, "was"), _listed(entry, "became"), strict=True)
    return {became: before.get(was, was) for was, became in pairs}


def _gone(connection: Connection, rows: Sequence[GalleryRow], entry: AuditEntry) -> list[Origin]:
    if "gone" in entry.detail or entry.action not in ("erase-identity", "erase-gallery"):
        return _listed(entry, "gone")
    # Entries of earlier releases have nothing but names.
    named = [origins(connection, gallery, entry.identity_id) for gallery in rows if gallery.name == entry.gallery]
    return named[0] if named else []


def _listed(entry: AuditEntry, name: str) -> list[Origin]:
    return [(key, created_at) for key, created_at in entry.detail.get(name, [])]


def _erased_shots(entry: AuditEntry) -> Sequence[str]:
    if entry.action in DUPLICATES_OF:
        return list(entry.detail.get("duplicates", []))
    return list(entry.detail.get("shots", [])) if entry.action.startswith("erase-") else []


def _forget_shots(connection: Connection, gallery: GalleryRow, shot_ids: Sequence[str]) -> bool:
    found = False
    for start in range(0, len(shot_ids), AT_ONCE):
        here = and_(shots.c.gallery_key == gallery.key, shots.c.shot_id.in_(shot_ids[start : start + AT_ONCE]))
        found |= erase_of_many(connection, gallery, here) is not None
    return found


def _forget_identities(connection: Connection, keys: Sequence[int]) -> None:
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        erase_emptied(connection, some)
        spend(connection, idempotency_keys.c.identity_key.in_(some))
        connection.execute(update(identities).where(identities.c.key.in_(some)).values(label=None, metadata={}))


def _forget_gallery(connection: Connection, gallery: GalleryRow) -> None:
    if not connection.scalar(select(exists().where(identities.c.gallery_key == gallery.key))):
        erase_gallery(connection, gallery, 0.0)
        return
    connection.execute(delete(calibrations).where(calibrations.c.gallery_key == gallery.key))
    connection.execute(update(galleries).where(galleries.c.key == gallery.key).values(label=None, metadata={}))
