"""The rows of shots, as they are listed. Functions here run within the caller's transaction."""

from sqlalchemy import Connection, select

from app.gallery.changes import GalleryRow
from app.gallery.domain import Shot
from app.gallery.gallery_rows import current_version
from app.gallery.identity_rows import known_identity
from app.gallery.schema import shots

_LISTED = ("shot_id", "image_sha256", "camera", "taken_at", "metadata", "created_at", "version", "quality")


def list_shots(connection: Connection, gallery: GalleryRow, identity_id: str) -> list[Shot]:
    """An identity's shots, oldest first.

    Raises:
        UnknownIdentity: there is no such identity.
    """
    current_version(connection, gallery)
    identity = known_identity(connection, gallery, identity_id)
    mine = select(*(shots.c[name] for name in _LISTED)).where(shots.c.identity_key == identity.key)
    rows = connection.execute(mine.order_by(shots.c.key))
    return [Shot(identity_id=identity_id, **row._mapping) for row in rows]
