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


@dataclass(frozen=True, eq=False)
class IdentityExport:
    """One identity's data.

    Attributes:
        shots: oldest first.
        embeddings: (N, D) of the shots, in their order.
        entries: of the audit trail, that name the identity.
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
        DamagedShot: an embedding does not fit its checksum.
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
        .join(embeddings, embeddings.c.slot == shots.c.slot)
        .where(shots.c.identity_key == identity_key)
        .order_by(shots.c.key)
    )
    rows = connection.execute(wanted).all()
    contents, expected = [row.content for row in rows], np.array([row.checksum for row in rows], np.int64)
    check_contents(gallery, [row.shot_id.encode() for row in rows], contents, expected)
    return np.frombuffer(b"".join(contents), STORED).reshape(len(rows), gallery.embedding_dim)


def _entries(connection: Connection, gallery: str, identity_id: str) -> list[AuditEntry]:
    """Entries about the identity, and those by which it came from elsewhere."""
    columns = audit_entries.c
    to, into = (columns.detail[name].as_string() for name in ("to", "into"))
    # A transfer is entered under the gallery that the identity left.
    arrived = and_(columns.action == "transfer", columns.identity_id == identity_id, to == gallery)
    named = or_(columns.identity_id == identity_id, to == identity_id, into == identity_id)
    wanted = select(audit_entries).where(or_(arrived, and_(columns.gallery == gallery, named)))
    return [AuditEntry(**row._mapping) for row in connection.execute(wanted.order_by(columns.sequence))]
