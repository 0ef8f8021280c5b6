"""One version of one gallery: what a reader holds while it answers, whatever is written meanwhile."""

from dataclasses import dataclass, replace

import numpy as np

from app.gallery.changes import NO_KEYS, Change, GalleryRow
from app.gallery.domain import Embeddings, GalleryInfo, Ranking, Search
from app.gallery.index import IndexBuilder, IndexChange, VectorIndex
from app.gallery.ranking import rank
from app.gallery.roster import Roster


@dataclass(frozen=True, eq=False)
class View:
    """A gallery's record, index and roster at the same version; immutable."""

    gallery: GalleryRow
    index: VectorIndex
    roster: Roster

    @classmethod
    def build(cls, contents: Change, build_index: IndexBuilder) -> "View":
        """The view of a whole gallery, from the change that makes it from nothing."""
        gallery, shots = contents.gallery, contents.enrolled
        assert gallery is not None
        assert shots is not None
        index = build_index(contents.version, shots.keys, shots.embeddings)
        return cls(gallery, index, Roster.build(contents.named, shots))

    def apply(self, change: Change) -> "View":
        """The view after the next change.

        Raises:
            OutOfStep: it is not the next change, or does not fit.
        """
        new = change.enrolled
        keys = NO_KEYS if new is None else new.keys
        embeddings = np.empty((0, self.gallery.embedding_dim), np.float32) if new is None else new.embeddings
        index = self.index.apply(IndexChange(change.version, keys, embeddings, change.erased_shots))
        return View(change.gallery or self.gallery, index, self.roster.apply(change))

    def compacted(self) -> "View":
        """The same in its best shape; slow."""
        return replace(self, index=self.index.compacted(), roster=self.roster.compacted())

    def info(self) -> GalleryInfo:
        """The gallery, counted."""
        gallery = self.gallery
        return GalleryInfo(
            name=gallery.name,
            checkpoint=gallery.checkpoint,
            embedding_dim=gallery.embedding_dim,
            identities=len(self.roster.members),
            shots=len(self.index),
            version=self.index.version,
            created_at=gallery.created_at,
            label=gallery.label,
            metadata=gallery.metadata,
            ttl_seconds=gallery.ttl_seconds,
            quality=gallery.quality,
        )

    def search(self, queries: Embeddings, search: Search) -> Ranking:
        """The identities that fit the queries (Q, D) best, as `rank` says."""
        return rank(self.index, self.roster, queries, search)
