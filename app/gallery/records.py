"""Galleries, identities and shots in SQL: the truth. What a method has returned is on disk."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from app.gallery import audit, calibrations, erasure, gallery_rows, identity_rows, moves, retention
from app.gallery.audit import Deed, current_actor
from app.gallery.calibrations import Moment, StoredCalibration
from app.gallery.changes import Change, GalleryRow, Outcome
from app.gallery.contents import read_contents
from app.gallery.database import Database
from app.gallery.domain import FOREVER, Enrolment, ErasureReceipt, Identity, Metadata, Moved, Quality, Retention, Shot
from app.gallery.enrolment import EnrolmentRequest, enrol
from app.gallery.exporting import IdentityExport, export_identity
from app.gallery.idempotency import Once, recall
from app.gallery.shot_rows import list_shots

# Their new values stand in the audit trail; a label or metadata may name people.
TOLD_SETTINGS = ("ttl_seconds", "quality")


class Records:
    """All galleries of one database, one transaction a method.

    Every method can raise StorageFailure; every one that is given a gallery raises UnknownGallery once it is erased.

    Args:
        database: where they are.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def galleries(self) -> list[GalleryRow]:
        """Every gallery, in order of names."""
        with self._database.read() as connection:
            return gallery_rows.list_galleries(connection)

    def contents(self, gallery: GalleryRow) -> Change:
        """All of a gallery, as the change that makes it from nothing; raises DamagedShot."""
        with self._database.read() as connection:
            return read_contents(connection, gallery)

    def version(self, gallery: GalleryRow) -> int:
        """How many changes the gallery has seen."""
        with self._database.read() as connection:
            return gallery_rows.current_version(connection, gallery)

    def create_gallery(
        self,
        name: str,
        checkpoint: str,
        embedding_dim: int,
        label: str | None,
        metadata: Metadata,
        kept: Retention = FOREVER,
        quality: Quality = "off",
    ) -> GalleryRow:
        """Add an empty gallery at version 0; raises GalleryExists."""
        now = self._clock()
        with self._database.write() as connection:
            row = gallery_rows.create_gallery(
                connection, name, checkpoint, embedding_dim, label, metadata, kept, quality, now
            )
            self._enter(connection, "create-gallery", row)
            return row

    def update_gallery(
        self,
        gallery: GalleryRow,
        label: str | None,
        metadata: Metadata | None,
        kept: Retention | None = None,
        quality: Quality | None = None,
    ) -> Outcome[dict[str, Any]]:
        """Set the label, the metadata, how long shots are kept and what is asked of crops, each unless it is None."""
        with self._database.write() as connection:
            outcome = gallery_rows.update_gallery(connection, gallery, label, metadata, kept, quality)
            told = {name: value for name, value in outcome.answer.items() if name in TOLD_SETTINGS}
            self._enter(connection, "update-gallery", gallery, changed=sorted(outcome.answer), **told)
            return outcome

    def erase_gallery(self, gallery: GalleryRow) -> ErasureReceipt:
        """Erase a gallery with all that is in it."""
        with self._database.write() as connection:
            gone = identity_rows.origins(connection, gallery)
            receipt = erasure.erase_gallery(connection, gallery, self._clock())
            self._enter(connection, "erase-gallery", gallery, shots=receipt.shot_ids, gone=gone)
            return receipt

    def identity(self, gallery: GalleryRow, identity_id: str) -> Identity:
        """One identity; raises UnknownIdentity."""
        with self._database.read() as connection:
            return identity_rows.read_identity(connection, gallery, identity_id)

    def identities(self, gallery: GalleryRow, after: str | None, limit: int) -> list[Identity]:
        """At most `limit` identities in order of ids, beginning after the id `after`."""
        with self._database.read() as connection:
            return identity_rows.list_identities(connection, gallery, after, limit)

    def put_identity(
        self, gallery: GalleryRow, identity_id: str, label: str | None, metadata: Metadata
    ) -> Outcome[Identity]:
        """Add an identity, or replace its label and metadata."""
        with self._database.write() as connection:
            self._enter(connection, "put-identity", gallery, identity_id)
            return identity_rows.put_identity(connection, gallery, identity_id, label, metadata, self._clock())

    def update_identity(
        self, gallery: GalleryRow, identity_id: str, label: str | None, metadata: Metadata | None
    ) -> Outcome[Identity]:
        """Set the label and the metadata, each unless it is None; raises UnknownIdentity."""
        with self._database.write() as connection:
            self._enter(connection, "update-identity", gallery, identity_id)
            return identity_rows.update_identity(connection, gallery, identity_id, label, metadata)

    def erase_identity(self, gallery: GalleryRow, identity_id: str) -> Outcome[ErasureReceipt]:
        """Erase an identity with all its shots; raises UnknownIdentity."""
        with self._database.write() as connection:
            gone = identity_rows.origins(connection, gallery, identity_id)
            outcome = erasure.erase_identity(connection, gallery, identity_id, self._clock())
            self._enter(connection, "erase-identity", gallery, identity_id, shots=outcome.answer.shot_ids, gone=gone)
            return outcome

    def recall(self, gallery: GalleryRow, identity_id: str, once: Once) -> Enrolment | None:
        """What an enrolment was answered the first time; raises IdempotencyConflict and IdempotencyKeySpent."""
        with self._database.read() as connection:
            gallery_rows.current_version(connection, gallery)
            return recall(connection, gallery, once, identity_id, self._clock())

    def enrol(self, gallery: GalleryRow, request: EnrolmentRequest) -> Outcome[Enrolment]:
        """Add shots of one person; raises IdempotencyConflict and IdempotencyKeySpent."""
        with self._database.write() as connection:
            outcome = enrol(connection, gallery, request, self._clock())
            created = [shot.shot_id for shot in outcome.answer.shots if shot.status == "created"]
            if outcome.change is not None:
                self._enter(connection, "enrol", gallery, request.identity_id, shots=created)
            return outcome

    def rename_identity(self, gallery: GalleryRow, identity_id: str, new_id: str) -> Outcome[Moved]:
        """Call an identity otherwise; raises UnknownIdentity and IdentityExists."""
        with self._database.write() as connection:
            self._enter(connection, "rename", gallery, identity_id, to=new_id)
            return moves.rename_identity(connection, gallery, identity_id, new_id)

    def merge_identities(self, gallery: GalleryRow, into: str, identity_id: str) -> Outcome[Moved]:
        """Give all shots of one identity to another; raises UnknownIdentity."""
        with self._database.write() as connection:
            gone = identity_rows.origins(connection, gallery, identity_id)
            outcome = moves.merge_identities(connection, gallery, into, identity_id, self._clock())
            erased = outcome.answer.duplicates
            self._enter(connection, "merge", gallery, identity_id, into=into, duplicates=erased, gone=gone)
            return outcome

    def move_shots(
        self, gallery: GalleryRow, identity_id: str, shot_ids: Sequence[str], to: str, new: bool
    ) -> Outcome[Moved]:
        """Give some shots to another identity; raises UnknownIdentity, UnknownShot and IdentityExists."""
        with self._database.write() as connection:
            outcome = moves.move_shots(connection, gallery, identity_id, shot_ids, to, new, self._clock())
            moved, erased = outcome.answer.shot_ids, outcome.answer.duplicates
            self._enter(connection, "move-shots", gallery, identity_id, shots=moved, duplicates=erased, to=to)
            return outcome

    def transfer_identity(self, gallery: GalleryRow, identity_id: str, to: GalleryRow) -> Outcome[Outcome[Moved]]:
        """Move an identity to another gallery; raises UnknownIdentity and IdentityExists."""
        with self._database.write() as connection:
            was = identity_rows.origins(connection, gallery, identity_id)
            outcome = moves.transfer_identity(connection, gallery, identity_id, to, self._clock())
            became = identity_rows.origins(connection, to, identity_id)
            self._enter(connection, "transfer", gallery, identity_id, to=to.name, was=was, became=became)
            return outcome

    def calibration(self, gallery: GalleryRow) -> StoredCalibration | None:
        """The gallery's calibration, if it has one."""
        with self._database.read() as connection:
            return calibrations.read_calibration(connection, gallery)

    def write_calibration(self, gallery: GalleryRow, report: dict[str, Any], moment: Moment) -> StoredCalibration:
        """Keep a calibration that was fitted on the gallery of a moment, instead of the one before."""
        stored = StoredCalibration(report, **vars(moment), fitted_at=self._clock())
        with self._database.write() as connection:
            self._enter(connection, "calibrate", gallery)
            calibrations.write_calibration(connection, gallery, stored)
        return stored

    def write_staleness(self, gallery: GalleryRow, stored: StoredCalibration, is_stale: bool) -> StoredCalibration:
        """Keep with a calibration that it is stale from now on, or is not; returns it."""
        with self._database.write() as connection:
            since = self._clock() if is_stale else None
            return calibrations.write_staleness(connection, gallery, stored, since)

    def erase_calibration(self, gallery: GalleryRow) -> None:
        """Forget the gallery's calibration."""
        with self._database.write() as connection:
            if calibrations.erase_calibration(connection, gallery):
                self._enter(connection, "erase-calibration", gallery)

    def shots(self, gallery: GalleryRow, identity_id: str) -> list[Shot]:
        """An identity's shots, oldest first; raises UnknownIdentity."""
        with self._database.read() as connection:
            return list_shots(connection, gallery, identity_id)

    def export(self, gallery: GalleryRow, identity_id: str) -> IdentityExport:
        """All that is kept about one identity; raises UnknownIdentity and DamagedShot."""
        with self._database.read() as connection:
            return export_identity(connection, gallery, identity_id)

    def erase_shot(self, gallery: GalleryRow, identity_id: str, shot_id: str) -> Outcome[ErasureReceipt]:
        """Erase one shot; raises UnknownIdentity or UnknownShot."""
        with self._database.write() as connection:
            outcome = erasure.erase_shot(connection, gallery, identity_id, shot_id, self._clock())
            self._enter(connection, "erase-shot", gallery, identity_id, shots=outcome.answer.shot_ids)
            return outcome

    def erase_expired(self, gallery: GalleryRow) -> Outcome[int]:
        """Erase some of the shots that are older than the gallery keeps them; answers how many."""
        with self._database.write() as connection:
            outcome = retention.erase_expired(connection, gallery, self._clock())
            for one in outcome.answer:
                detail = {"shots": one.shots, "gone": one.gone, "reason": "ttl"}
                self._enter(connection, "erase-shot", gallery, one.identity_id, **detail)
            return Outcome(sum(len(one.shots) for one in outcome.answer), outcome.change)

    def scrub(self) -> None:
        """Take what was erased out of the database's logs too."""
        self._database.scrub()

    def note(self, deeds: Sequence[Deed]) -> None:
        """Enter what changed no record, such as queries, in the audit trail."""
        with self._database.write() as connection:
            audit.append(connection, *deeds)

    def deed(self, action: str, gallery: str, identity_id: str | None = None, **detail: object) -> Deed:
        """What whoever the running task or thread works for did just now."""
        return Deed(self._clock(), current_actor(), action, gallery, identity_id, detail)

    def _enter(
        self,
        connection: Connection,
        action: str,
        gallery: GalleryRow,
        identity_id: str | None = None,
        **detail: object,
    ) -> None:
        audit.append(connection, self.deed(action, gallery.name, identity_id, **detail))
