"""Everything that is kept about one identity. Functions here run within the caller's transaction."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, and_, or_, select

from app.gallery.audit import AuditEntry, audit_entries
from app.gallery.changes import GalleryRow
from app.gallery.contents import check_contents
from app.gallery.domain import Embeddings, Identity, Shot
from app.gallery.gallery_rows import current_version
from app.gallery.identity_rows import known_identity, read_identity
from app.gallery.schema import embeddings, shots
from app.gallery.shot_rows import list_shots
from app.gallery.slots import STORED

LATEST = 2**63 - 1


@dataclass(frozen=True, eq=False)
class IdentityExport:
    """One identity's data.

    Attributes:
        shots: oldest first.
        embeddings: (N, D) of the shots, in their order.
        entries: of the audit trail, about the identity under all its names.
        gallery_version: at which all of it was so.
    """

    identity: Identity
    shots: list[Shot]
    embeddings: Embeddings
    entries: list[AuditEntry]
    gallery_version: int


def export_identity(connection: Connection, gallery: GalleryRow, identity_id: str) -> IdentityExport:
    """Read all that is kept about an identity.

    Raises:
        DamagedShot: an embedding is missing, or does not fit its checksum.
        UnknownIdentity: there is no such identity.
    """
    version = current_version(connection, gallery)
    return IdentityExport(
        read_identity(connection, gallery, identity_id),
        list_shots(connection, gallery, identity_id),
        _embeddings(connection, gallery, known_identity(connection, gallery, identity_id).key),
        _entries(connection, gallery.name, identity_id),
        version,
    )


def _embeddings(connection: Connection, gallery: GalleryRow, identity_key: int) -> Embeddings:
    wanted = (
        select(shots.c.shot_id, shots.c.checksum, embeddings.c.content)
        .outerjoin(embeddings, embeddings.c.slot == shots.c.slot)
        .where(shots.c.identity_key == identity_key)
        .order_by(shots.c.key)
    )
    rows = connection.execute(wanted).all()
    contents, expected = [row.content for row in rows], np.array([row.checksum for row in rows], np.int64)
    check_contents(gallery, [row.shot_id.encode() for row in rows], contents, expected)
    return np.frombuffer(b"".join(contents), STORED).reshape(len(rows), gallery.embedding_dim)


def _entries(connection: Connection, gallery: str, identity_id: str) -> list[AuditEntry]:
    """Entries about the identity under all its names, those by which its shots came, and none of earlier bearers."""
    found: dict[int, AuditEntry] = {}
    names: list[tuple[str, str, int]] = [(gallery, identity_id, LATEST)]
    while names:
        here, name, before = names.pop()
        for entry in _about(connection, here, name, before):
            if _ends(entry, here, name):
                break
            found[entry.sequence] = entry
            if entry.action == "merge" and entry.identity_id is not None and entry.identity_id != name:
                names.append((here, entry.identity_id, entry.sequence))
            # Until then it was called otherwise, or elsewhere.
            if entry.action in ("rename", "transfer"):
                names.append((str(entry.gallery), str(entry.identity_id), entry.sequence))
                break
    return [found[sequence] for sequence in sorted(found)]


def _about(connection: Connection, gallery: str, name: str, before: int) -> list[AuditEntry]:
    """What was entered before a number about whoever bore a name; the latest first."""
    columns = audit_entries.c
    to, into = (columns.detail[key].as_string() for key in ("to", "into"))
    # A transfer is entered under the gallery that the identity left.
    transferred = columns.action == "transfer"
    arrived = and_(transferred, columns.identity_id == name, to == gallery)
    named = or_(columns.identity_id == name, and_(~transferred, to == name), into == name)
    concerned = and_(columns.gallery == gallery, or_(named, columns.action == "erase-gallery"))
    wanted = select(audit_entries).where(columns.sequence < before, or_(arrived, concerned))
    return [AuditEntry(**row._mapping) for row in connection.execute(wanted.order_by(columns.sequence.desc()))]


def _ends(entry: AuditEntry, gallery: str, name: str) -> bool:
    """Whether an entry says that somebody bears a name in a gallery no longer."""
    if entry.action == "erase-gallery":
        return True
    if (entry.gallery, entry.identity_id) != (gallery, name):
        return False
    if entry.action == "rename":
        return bool(entry.detail["to"] != name)
    return entry.action in ("erase-identity", "merge", "transfer") or bool(entry.detail.get("gone"))
