"""Enrolling shots. Functions here run within the caller's transaction."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from app.gallery import idempotency
from app.gallery.changes import SHOT_ID, Change, GalleryRow, IdentityName, Keys, Outcome, ShotColumns
from app.gallery.domain import Embeddings, EnrolledShot, Enrolment, Metadata, NewShot
from app.gallery.gallery_rows import next_version, set_version
from app.gallery.idempotency import Once
from app.gallery.identity_rows import create_identity, find_identity, known_identity, touch_identity
from app.gallery.schema import shots
from app.gallery.slots import STORED, checksums, fill_slots

LOOKED_UP_AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class EnrolmentRequest:
    """What one call wants enrolled.

    Attributes:
        shots: of one person.
        embeddings: (N, D) checked rows of `shots`.
        label: for the identity; None leaves it as it is.
        once: how the call is known again if it is sent again; None if it need not be.
        notes: for the answer.
    """

    identity_id: str
    shots: Sequence[NewShot]
    embeddings: Embeddings
    label: str | None
    once: Once | None = None
    notes: Sequence[Metadata] = ()


@dataclass(frozen=True)
class _New:
    """A shot that is not there yet; `row` counts within the request."""

    row: int
    shot_id: str
    content_id: str


def enrol(connection: Connection, gallery: GalleryRow, request: EnrolmentRequest, now: float) -> Outcome[Enrolment]:
    """Add the shots that are not there yet, and the identity if it is new.

    Within an identity the same picture is one shot, and so is the same embedding where no picture is named. Under
    another identity it is another shot: who is on a picture is for the caller to say.

    Raises:
        IdempotencyConflict: the key was used for another request.
        IdempotencyKeySpent: what it enrolled is gone.
    """
    once, version = request.once, next_version(connection, gallery)
    if once is None:
        return _enrol(connection, gallery, request, version, now)
    given = idempotency.recall(connection, gallery, once, request.identity_id, now)
    if given is not None:
        return Outcome(given)
    outcome = _enrol(connection, gallery, request, version, now)
    identity = known_identity(connection, gallery, request.identity_id)
    idempotency.remember(connection, gallery, once, identity.key, outcome.answer, now)
    return outcome


def _enrol(
    connection: Connection, gallery: GalleryRow, request: EnrolmentRequest, version: int, now: float
) -> Outcome[Enrolment]:
    known = find_identity(connection, gallery, request.identity_id)
    new, answers = _sort_out(connection, known, request)
    if known is None:
        name = create_identity(connection, gallery, request.identity_id, request.label, {}, version, now)
    else:
        name = replace(known, label=known.label if request.label is None else request.label)
    if not new and name == known:
        return Outcome(Enrolment(request.identity_id, answers, version - 1, request.notes))
    if known is not None:
        touch_identity(connection, name, version)
    enrolled = _store(connection, gallery, name.key, request, new, version, now)
    set_version(connection, gallery, version)
    named = () if name == known else (name,)
    answer = Enrolment(request.identity_id, answers, version, request.notes)
    return Outcome(answer, Change(version, named=named, enrolled=enrolled))


def _sort_out(
    connection: Connection, identity: IdentityName | None, request: EnrolmentRequest
) -> tuple[list[_New], list[EnrolledShot]]:
    content_ids = [_content_id(shot, row) for shot, row in zip(request.shots, request.embeddings, strict=True)]
    there = _stored(connection, identity.key, content_ids) if identity else {}
    new: list[_New] = []
    answers: list[EnrolledShot] = []
    for row, content_id in enumerate(content_ids):
        if content_id in there:
            answers.append(EnrolledShot(there[content_id], "duplicate"))
            continue
        there[content_id] = shot_id = secrets.token_hex(SHOT_ID.itemsize // 2)
        new.append(_New(row, shot_id, content_id))
        answers.append(EnrolledShot(shot_id, "created"))
    return new, answers


def _stored(connection: Connection, identity_key: int, content_ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(content_ids), LOOKED_UP_AT_ONCE):
        query = select(shots.c.content_id, shots.c.shot_id).where(
            shots.c.identity_key == identity_key,
            shots.c.content_id.in_(content_ids[start : start + LOOKED_UP_AT_ONCE]),
        )
        found.update((row.content_id, row.shot_id) for row in connection.execute(query))
    return found


def _store(
    connection: Connection,
    gallery: GalleryRow,
    identity_key: int,
    request: EnrolmentRequest,
    new: Sequence[_New],
    version: int,
    now: float,
) -> ShotColumns | None:
    if not new:
        return None
    rows = request.embeddings[[shot.row for shot in new]]
    contents = [row.tobytes() for row in rows.astype(STORED, copy=False)]
    slots = fill_slots(connection, contents, gallery.embedding_dim)
    sums = checksums([shot.shot_id.encode() for shot in new], contents).tolist()
    values = [
        {
            "gallery_key": gallery.key,
            "identity_key": identity_key,
            "shot_id": shot.shot_id,
            "content_id": shot.content_id,
            **_described(request.shots[shot.row]),
            "slot": slot,
            "checksum": checksum,
            "version": version,
            "created_at": now,
        }
        for shot, slot, checksum in zip(new, slots, sums, strict=True)
    ]
    added = insert(shots).returning(shots.c.key, sort_by_parameter_order=True)
    keys = np.array(connection.scalars(added, values).all(), np.int64)
    return columns_of(keys, values, rows)


def columns_of(keys: Keys, values: Sequence[dict[str, Any]], embeddings: Embeddings) -> ShotColumns:
    """Shots just inserted as columns.

    Args:
        keys: (N,) that the database gave them.
        values: N rows of the table of shots.
        embeddings: (N, D).
    """
    return ShotColumns(
        keys=keys,
        identity_keys=np.array([value["identity_key"] for value in values], np.int64),
        shot_ids=np.array([value["shot_id"] for value in values], SHOT_ID),
        cameras=np.array([value["camera"] for value in values], object),
        # None becomes NaN.
        times=np.array([value["taken_at"] for value in values], np.float64),
        qualities=np.array([value["quality"] for value in values], np.float32),
        metadata=np.array([value["metadata"] or None for value in values], object),
        embeddings=embeddings,
    )


def _described(shot: NewShot) -> dict[str, Any]:
    return {
        "image_sha256": shot.image_sha256,
        "camera": shot.camera,
        "taken_at": shot.taken_at,
        "metadata": shot.metadata,
        "quality": shot.quality,
    }


def _content_id(shot: NewShot, embedding: Embeddings) -> str:
    if shot.image_sha256 is not None:
        return f"image:{shot.image_sha256}"
    return f"embedding:{hashlib.sha256(embedding.astype(STORED).tobytes()).hexdigest()}"
