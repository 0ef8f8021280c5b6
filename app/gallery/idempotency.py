"""An enrolment sent twice with one key is done once. Functions here run within the caller's transaction."""

import hashlib
import json

from sqlalchemy import Connection, delete, insert, select

from app.gallery.changes import GalleryRow
from app.gallery.domain import EnrolledShot, Enrolment
from app.gallery.errors import IdempotencyConflict
from app.gallery.schema import idempotency_keys

KEPT_SECONDS = 24 * 3600


def fingerprint(*parts: object) -> str:
    """A hash that is equal for equal requests; the parts are JSON values."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def recall(connection: Connection, gallery: GalleryRow, key: str, request: str, identity_id: str) -> Enrolment | None:
    """The answer that was given under this key, if it was used.

    Args:
        key: as the client chose it.
        request: fingerprint of what comes with it now.
        identity_id: whom it concerns.

    Raises:
        IdempotencyConflict: it came with another request then.
    """
    query = select(idempotency_keys.c.fingerprint, idempotency_keys.c.answer).where(
        idempotency_keys.c.gallery_key == gallery.key, idempotency_keys.c.idempotency_key == key
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.fingerprint != request:
        raise IdempotencyConflict(gallery.name, key)
    given = [EnrolledShot(**shot) for shot in row.answer["shots"]]
    return Enrolment(identity_id, given, row.answer["gallery_version"])


def remember(
    connection: Connection,
    gallery: GalleryRow,
    key: str,
    request: str,
    identity_key: int,
    answer: Enrolment,
    now: float,
) -> None:
    """Keep an answer for a day, or until the identity is erased; drop those that are older."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEPT_SECONDS))
    new = insert(idempotency_keys).values(
        gallery_key=gallery.key,
        idempotency_key=key,
        identity_key=identity_key,
        fingerprint=request,
        answer={"shots": [vars(shot) for shot in answer.shots], "gallery_version": answer.gallery_version},
        created_at=now,
    )
    connection.execute(new)
