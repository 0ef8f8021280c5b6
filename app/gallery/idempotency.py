"""An enrolment sent twice with one key is done once. Functions here run within the caller's transaction.

What is kept for a key is the answer to the request that enrolled something with it. A request that enrolled nothing
leaves no trace: sent again it is tried again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, null, select, update

from app.gallery.changes import GalleryRow
from app.gallery.domain import EnrolledShot, Enrolment
from app.gallery.errors import IdempotencyConflict, IdempotencyKeySpent
from app.gallery.schema import idempotency_keys

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Once:
    """A request that is carried out once, however often it is sent within a day.

    Attributes:
        key: as the client chose it.
        fingerprint: equal for equal requests.
    """

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, identity_id: str, fields: Mapping[str, object], pictures: Sequence[bytes]) -> "Once":
        """Know a request again by what was sent; slow for large pictures, so not for the event loop.

        Args:
            key: as the client chose it.
            identity_id: whom it concerns.
            fields: JSON values by name.
            pictures: encoded, in order, those among them that cannot be decoded too.
        """
        sent = [identity_id, fields, [hashlib.sha256(picture).hexdigest() for picture in pictures]]
        return cls(key, _digest(json.dumps(sent, sort_keys=True)))


def recall(connection: Connection, gallery: GalleryRow, once: Once, identity_id: str, now: float) -> Enrolment | None:
    """The answer that was given under a key, if it was used within a day.

    Raises:
        IdempotencyConflict: it came with another request then.
        IdempotencyKeySpent: the identity has been erased since, or moved to another gallery.
    """
    query = select(idempotency_keys.c.fingerprint, idempotency_keys.c.answer).where(
        idempotency_keys.c.gallery_key == gallery.key,
        idempotency_keys.c.key_digest == _digest(once.key),
        idempotency_keys.c.created_at >= now - KEPT_SECONDS,
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.answer is None:
        raise IdempotencyKeySpent(gallery.name, once.key)
    if row.fingerprint != once.fingerprint:
        raise IdempotencyConflict(gallery.name, once.key)
    given = [EnrolledShot(**shot) for shot in row.answer["shots"]]
    return Enrolment(identity_id, given, row.answer["gallery_version"], row.answer["notes"])


def remember(
    connection: Connection, gallery: GalleryRow, once: Once, identity_key: int, answer: Enrolment, now: float
) -> None:
    """Keep an answer for a day; drop those that are older."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEPT_SECONDS))
    new = insert(idempotency_keys).values(
        gallery_key=gallery.key,
        key_digest=_digest(once.key),
        identity_key=identity_key,
        fingerprint=once.fingerprint,
        answer={
            "shots": [vars(shot) for shot in answer.shots],
            "gallery_version": answer.gallery_version,
            "notes": answer.notes,
        },
        created_at=now,
    )
    connection.execute(new)


def spend(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Forget the answers and whom they concern; the keys cannot be used again within their day.

    Otherwise a late retry would enrol anew who was erased.
    """
    nothing = {"identity_key": null(), "fingerprint": null(), "answer": null()}
    connection.execute(update(idempotency_keys).where(chosen).values(nothing))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
