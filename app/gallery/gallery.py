"""The galleries of one data directory: enrol, search, erase."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gallery.calibrations import Drift, Moment, ShotSample, StoredCalibration, sample_shots
from app.gallery.changes import GalleryRow, Outcome, swapped
from app.gallery.checks import check_checkpoint, check_metadata, checked_embeddings
from app.gallery.database import DATABASE_FILE, Database, DirectoryLock
from app.gallery.domain import (
    FOREVER,
    Enrolment,
    ErasureReceipt,
    GalleryInfo,
    Identity,
    Metadata,
    Moved,
    NewShot,
    Quality,
    Ranking,
    Retention,
    Search,
    Shot,
)
from app.gallery.enrolment import EnrolmentRequest
from app.gallery.errors import UnknownGallery, VersionNotReached
from app.gallery.exporting import IdentityExport
from app.gallery.idempotency import Once
from app.gallery.index import IndexBuilder
from app.gallery.indexes import Indexes
from app.gallery.live import LiveGallery
from app.gallery.records import Records
from app.gallery.sizing import DEFAULT_OPTIONS, IndexOptions
from app.gallery.stats import GalleryStats
from app.gallery.trail import Trail
from app.gallery.workspace import remove_leftovers


class GalleryStore:
    """All galleries of one database; `open` makes one. Any number of threads may call it.

    When a call that changes something returns, the change is on disk and every search that begins later sees it.
    A call that finds nothing to change does not count as one. Besides what their docstrings name, methods raise
    UnknownGallery for a name that is not there and StorageFailure where the database fails.
    """

    def __init__(
        self, database: Database, indexes: Indexes, build_index: IndexBuilder | None, clock: Callable[[], float]
    ) -> None:
        self._records = Records(database, clock)
        self._indexes, self._build_index = indexes, build_index
        self._naming = threading.Lock()
        self._resources = ExitStack()
        rows = self._records.galleries()
        indexes.erase_orphans(rows)
        self._galleries = {row.name: self._live(row) for row in rows}
        self._trail = Trail(self._records.note)

    @classmethod
    def open(
        cls,
        data_dir: Path | None,
        *,
        url: str | None = None,
        index_options: IndexOptions = DEFAULT_OPTIONS,
        build_index: IndexBuilder | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "GalleryStore":
        """Open, or begin, the galleries of a directory.

        Args:
            data_dir: held against other processes while the store is open; made if it is not there.
            url: of the database, as SQLAlchemy takes it; a file in `data_dir` if it is not given.
            index_options: how galleries are searched.
            build_index: makes the index of every gallery, whatever the options say.
            clock: seconds since 1970.

        Raises:
            DamagedShot: a stored embedding is missing, or does not fit its checksum.
            StorageFailure: the database cannot be used or has lost changes, or another process uses the directory.
            ValueError: neither `data_dir` nor `url` is given.
        """
        if url is None and data_dir is None:
            raise ValueError("galleries need a directory or the URL of a database")
        with ExitStack() as resources:
            if data_dir is not None:
                resources.enter_context(closing(DirectoryLock(data_dir)))
                remove_leftovers(data_dir)
            database = resources.enter_context(closing(Database(url or f"sqlite:///{data_dir}/{DATABASE_FILE}")))
            indexes = Indexes(index_options, data_dir, clock)
            resources.callback(indexes.close)
            store = cls(database, indexes, build_index, clock)
            store._resources = resources.pop_all()
        return store

    def close(self) -> None:
        """Finish what is being written and refuse what comes later; searches under way go on."""
        self._indexes.close()
        self._trail.close()
        self._resources.close()

    def create(
        self,
        name: str,
        checkpoint: str,
        embedding_dim: int,
        label: str | None = None,
        metadata: Metadata | None = None,
        retention: Retention = FOREVER,
        quality: Quality = "off",
    ) -> GalleryInfo:
        """Add an empty gallery for the embeddings of one network.

        Args:
            name: 1..128 characters.
            checkpoint: sha256 of the network's weights.
            embedding_dim: D.
            label: shown to people.
            metadata: a JSON object of the caller's.
            retention: how long its shots are kept.
            quality: what is asked of crops.

        Raises:
            GalleryExists: there is one of that name.
            InvalidMetadata: `metadata` is not JSON.
        """
        check_metadata(metadata)
        with self._naming:
            row = self._records.create_gallery(
                name, checkpoint, embedding_dim, label, metadata or {}, retention, quality
            )
            self._galleries[name] = self._live(row)
        return self.info(name)

    def names(self) -> Sequence[str]:
        """The names of all galleries, in order."""
        return sorted(self._galleries)

    def list(self) -> Sequence[GalleryInfo]:
        """All galleries, in order of names."""
        return [gallery.view.info() for _, gallery in sorted(self._galleries.items())]

    def info(self, name: str) -> GalleryInfo:
        """One gallery; asks no disk."""
        return self._named(name).view.info()

    def stats(self, name: str) -> GalleryStats:
        """How one gallery is searched, and how large it is; asks no disk."""
        gallery = self._named(name)
        view = gallery.view
        return GalleryStats(view.info(), view.index.stats(), gallery.is_compacting)

    def update(
        self,
        name: str,
        label: str | None,
        metadata: Metadata | None,
        retention: Retention | None = None,
        quality: Quality | None = None,
    ) -> GalleryInfo:
        """Set a gallery's label, metadata, retention and quality, each unless it is None; raises InvalidMetadata."""
        check_metadata(metadata)
        gallery = self._named(name)
        gallery.write(
            partial(self._records.update_gallery, label=label, metadata=metadata, kept=retention, quality=quality)
        )
        return gallery.view.info()

    def delete(self, name: str) -> ErasureReceipt:
        """Erase a gallery with all that is in it."""
        with self._naming:
            gallery = self._named(name)
            receipt = gallery.write(lambda row: Outcome(self._records.erase_gallery(row)))
            del self._galleries[name]
            self._indexes.erase(gallery.view.gallery)
        self._records.scrub()
        return receipt

    def recall(self, gallery: str, identity_id: str, once: Once) -> Enrolment | None:
        """What `enrol` answered when it was given the same `once` before; None if it was not, or enrolled nothing.

        Raises:
            IdempotencyConflict: the key was used for another enrolment.
            IdempotencyKeySpent: what it enrolled was erased since, or moved to another gallery.
        """
        return self._records.recall(self._named(gallery).view.gallery, identity_id, once)

    def enrol(
        self,
        gallery: str,
        identity_id: str,
        shots: Sequence[NewShot],
        checkpoint: str,
        label: str | None = None,
        once: Once | None = None,
        notes: Sequence[Metadata] = (),
    ) -> Enrolment:
        """Add shots of one person, and the person if new.

        Within an identity the same picture (`image_sha256`) is one shot, and so is the same embedding where no picture
        is named. Under another identity it is another shot: who is on a picture is for the caller to say.

        Args:
            gallery: its name.
            identity_id: 1..128 characters.
            shots: one or more.
            checkpoint: sha256 of the weights that computed the embeddings.
            label: of the identity; None leaves it as it is.
            once: how the call is known again; for a day it is done once and answered the same.
            notes: JSON objects that belong to the answer.

        Raises:
            CheckpointMismatch: the gallery is of another network.
            DimensionMismatch: so it seems from the embeddings.
            IdempotencyConflict: the key was used for another enrolment.
            IdempotencyKeySpent: what it enrolled was erased since, or moved to another gallery.
            InvalidEmbedding: an embedding is not finite or not of unit length.
            InvalidMetadata: a shot's metadata is not JSON.
            ValueError: there are no shots.
        """
        for shot in shots:
            check_metadata(shot.metadata)
        live = self._named(gallery)
        row = live.view.gallery
        check_checkpoint(row, checkpoint)
        embeddings = checked_embeddings(row, [shot.embedding for shot in shots])
        request = EnrolmentRequest(identity_id, shots, embeddings, label, once, notes)
        return live.write(partial(self._records.enrol, request=request))

    def put_identity(self, gallery: str, identity_id: str, label: str | None, metadata: Metadata) -> Identity:
        """Add an identity without shots, or replace the label and metadata of one; raises InvalidMetadata."""
        check_metadata(metadata)
        change = partial(self._records.put_identity, identity_id=identity_id, label=label, metadata=metadata)
        return self._named(gallery).write(change)

    def identity(self, gallery: str, identity_id: str) -> Identity:
        """One identity; raises UnknownIdentity."""
        return self._records.identity(self._named(gallery).view.gallery, identity_id)

    def update_identity(self, gallery: str, identity_id: str, label: str | None, metadata: Metadata | None) -> Identity:
        """Set label and metadata, each unless it is None; raises UnknownIdentity and InvalidMetadata."""
        check_metadata(metadata)
        change = partial(self._records.update_identity, identity_id=identity_id, label=label, metadata=metadata)
        return self._named(gallery).write(change)

    def identities(self, gallery: str, after: str | None, limit: int) -> Sequence[Identity]:
        """At most `limit` identities in order of ids, beginning after the id `after`."""
        return self._records.identities(self._named(gallery).view.gallery, after, limit)

    def delete_identity(self, gallery: str, identity_id: str) -> ErasureReceipt:
        """Erase an identity with all its shots; raises UnknownIdentity."""
        return self._erase(gallery, partial(self._records.erase_identity, identity_id=identity_id))

    def rename(self, gallery: str, identity_id: str, new_id: str) -> Moved:
        """Call an identity otherwise; raises UnknownIdentity and IdentityExists."""
        return self._named(gallery).write(
            partial(self._records.rename_identity, identity_id=identity_id, new_id=new_id)
        )

    def merge(self, gallery: str, into: str, identity_id: str) -> Moved:
        """Give all shots of an identity to the identity `into`, and drop it.

        Pictures that both have are kept once. Label and metadata of `into` stay as they are.

        Raises:
            UnknownIdentity: one of them is not there.
            ValueError: they are the same.
        """
        merged = self._named(gallery).write(partial(self._records.merge_identities, into=into, identity_id=identity_id))
        self._records.scrub()
        return merged

    def move_shots(self, gallery: str, identity_id: str, shot_ids: Sequence[str], to: str, new: bool = False) -> Moved:
        """Give some shots of an identity to another one, which must not be there yet if it is to be `new`.

        Raises:
            IdentityExists: it is there though it should be new.
            UnknownIdentity: an identity is not there.
            UnknownShot: the identity has no such shot.
            ValueError: no shots are named, or both identities are the same.
        """
        moved = self._named(gallery).write(
            partial(self._records.move_shots, identity_id=identity_id, shot_ids=shot_ids, to=to, new=new)
        )
        self._records.scrub()
        return moved

    def transfer(self, gallery: str, identity_id: str, to: str) -> Moved:
        """Move an identity to another gallery of the same checkpoint.

        A search of either gallery sees it in one of them, in both for a moment, or in none for a moment.

        Raises:
            CheckpointMismatch: the galleries are of different networks.
            IdentityExists: the other gallery knows somebody of that name.
            UnknownIdentity: there is no such identity.
            ValueError: both galleries are the same.
        """
        if gallery == to:
            raise ValueError(f"identity {identity_id!r} is in gallery {to!r} already")
        source, target = self._named(gallery), self._named(to)
        check_checkpoint(target.view.gallery, source.view.gallery.checkpoint)

        def both(row: GalleryRow, other: GalleryRow) -> Outcome[Outcome[Moved]]:
            return self._records.transfer_identity(row, identity_id, other)

        # In order of names, so that two transfers never wait for each other.
        if gallery < to:
            return source.write(lambda row: target.write(lambda other: swapped(both(row, other))))
        return target.write(lambda other: source.write(lambda row: both(row, other)))

    def calibration(self, gallery: str) -> StoredCalibration | None:
        """What was fitted on the gallery itself, if anything was."""
        return self._named(gallery).calibration

    def calibrate(self, gallery: str, report: dict[str, Any], moment: Moment) -> None:
        """Keep what was fitted on the gallery as it was at a moment, instead of what was kept before."""
        self._named(gallery).calibrate(report, moment)

    def forget_calibration(self, gallery: str) -> None:
        """Go back to what the checkpoint comes with."""
        self._named(gallery).forget_calibration()

    def moment(self, gallery: str) -> Moment:
        """The gallery as it is now, to be told apart from later ones."""
        return Moment.of(self._named(gallery).view)

    def drift(self, gallery: str) -> Drift | None:
        """How the gallery has changed since its calibration was fitted, if it has one."""
        live = self._named(gallery)
        stored = live.calibration
        return None if stored is None else Drift.between(stored, live.view)

    def sample(self, gallery: str, seed: int = 0) -> ShotSample:
        """Some of the gallery's people with their shots, to fit a calibration on."""
        return sample_shots(self._named(gallery).view, seed)

    def shots(self, gallery: str, identity_id: str) -> Sequence[Shot]:
        """An identity's shots, oldest first; raises UnknownIdentity."""
        return self._records.shots(self._named(gallery).view.gallery, identity_id)

    def export(self, gallery: str, identity_id: str) -> IdentityExport:
        """All that is kept about one identity, which is entered in the audit trail.

        Raises:
            DamagedShot: a stored embedding is missing, or does not fit its checksum.
            UnknownIdentity: there is no such identity.
        """
        exported = self._records.export(self._named(gallery).view.gallery, identity_id)
        self._trail.add(self._records.deed("export", gallery, identity_id))
        return exported

    def delete_shot(self, gallery: str, identity_id: str, shot_id: str) -> ErasureReceipt:
        """Erase one shot; its identity stays. Raises UnknownIdentity or UnknownShot."""
        return self._erase(gallery, partial(self._records.erase_shot, identity_id=identity_id, shot_id=shot_id))

    def sweep(self) -> int:
        """Erase all shots that are older than their gallery keeps them; returns how many."""
        erased = 0
        for gallery in self.list():
            while gallery.ttl_seconds is not None:
                try:
                    found = self._named(gallery.name).write(self._records.erase_expired)
                except UnknownGallery:
                    break
                erased += found
                if not found:
                    break
        if erased:
            self._records.scrub()
        return erased

    def search(self, gallery: str, queries: NDArray[np.floating], search: Search, checkpoint: str) -> Ranking:
        """The identities most like one person.

        Args:
            gallery: its name.
            queries: (Q, D) unit rows, crops of one person.
            search: how.
            checkpoint: sha256 of the weights that computed the queries.

        Raises:
            CheckpointMismatch: the gallery is of another network.
            DimensionMismatch: so it seems from the queries.
            InvalidEmbedding: a query is not finite or not of unit length.
            ValueError: there are no queries, or not as many as there are qualities.
            VersionNotReached: the gallery has not seen as many changes as `search` asks for.
        """
        view = self._named(gallery).view
        check_checkpoint(view.gallery, checkpoint)
        if view.index.version < search.min_version:
            raise VersionNotReached(gallery, search.min_version, view.index.version)
        if search.qualities is not None and len(search.qualities) != len(queries):
            raise ValueError(f"there are {len(search.qualities)} qualities for {len(queries)} queries")
        ranking = view.search(checked_embeddings(view.gallery, queries), search)
        self._trail.add(self._records.deed("query", gallery, crops=len(queries)))
        return ranking

    def _named(self, name: str) -> LiveGallery:
        try:
            return self._galleries[name]
        except KeyError:
            raise UnknownGallery(name) from None

    def _live(self, row: GalleryRow) -> LiveGallery:
        build_index = self._build_index or self._indexes.builder(row)
        return LiveGallery(row, self._records, build_index, self._indexes.background)

    def _erase(self, gallery: str, transaction: Callable[[GalleryRow], Outcome[ErasureReceipt]]) -> ErasureReceipt:
        receipt = self._named(gallery).write(transaction)
        self._records.scrub()
        return receipt
