"""What the records tell the index: the change that a committed transaction made to one gallery."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.gallery.domain import Embeddings, Metadata, Quality
from app.gallery.pages import empty_rows

Keys = NDArray[np.int64]
Answer = TypeVar("Answer", covariant=True)

SHOT_ID = np.dtype("S24")
NO_KEYS: Keys = np.empty(0, np.int64)


@dataclass(frozen=True)
class GalleryRow:
    """A gallery's own record, without what is counted."""

    key: int
    name: str
    checkpoint: str
    embedding_dim: int
    label: str | None
    metadata: Metadata
    created_at: float
    ttl_seconds: float | None = None
    quality: Quality = "off"


@dataclass(frozen=True)
class IdentityName:
    """How an identity is called."""

    key: int
    identity_id: str
    label: str | None


@dataclass(frozen=True, eq=False)
class ShotColumns:
    """N shots column by column, in ascending order of `keys`, which are never used twice.

    Attributes:
        keys: (N,) int64 of the shots.
        identity_keys: (N,) int64, whose they are.
        shot_ids: (N,) SHOT_ID.
        cameras: (N,) object, str or None.
        times: (N,) float64 seconds since 1970; NaN where nobody said when.
        qualities: (N,) float32, 0..1.
        metadata: (N,) object, a dict, or None where it is empty.
        embeddings: (N, D) float32 unit rows.
    """

    keys: Keys
    identity_keys: Keys
    shot_ids: NDArray[np.bytes_]
    cameras: NDArray[Any]
    times: NDArray[np.float64]
    qualities: NDArray[np.float32]
    metadata: NDArray[Any]
    embeddings: Embeddings

    def described(self) -> list[NDArray[Any]]:
        """All columns but the embeddings."""
        return [column for name, column in vars(self).items() if name != "embeddings"]

    @classmethod
    def empty(cls, count: int, embedding_dim: int) -> "ShotColumns":
        """Columns to be filled."""
        return cls(
            keys=np.empty(count, np.int64),
            identity_keys=np.empty(count, np.int64),
            shot_ids=np.empty(count, SHOT_ID),
            cameras=np.empty(count, object),
            times=np.empty(count, np.float64),
            qualities=np.empty(count, np.float32),
            metadata=np.empty(count, object),
            embeddings=empty_rows(count, embedding_dim),
        )


@dataclass(frozen=True, eq=False)
class Change:
    """What took a gallery from version - 1 to `version`; from nothing, if it is the whole gallery.

    Attributes:
        gallery: its new record, if that changed.
        named: identities that are new or have a new label.
        erased_identities: keys; their shots are in `erased_shots`.
        enrolled: new shots, of identities that are known or in `named`.
        erased_shots: (M,) keys.
    """

    version: int
    gallery: GalleryRow | None = None
    named: tuple[IdentityName, ...] = ()
    erased_identities: tuple[int, ...] = ()
    enrolled: ShotColumns | None = None
    erased_shots: Keys = field(default_factory=lambda: NO_KEYS)


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Answer]):
    """What a transaction answers, and the change that it made, if it made one."""

    answer: Answer
    change: Change | None = None


def swapped(outcome: Outcome[Outcome[Answer]]) -> Outcome[Outcome[Answer]]:
    """Two changes of one transaction, the inner one outside."""
    inner = outcome.answer
    return Outcome(Outcome(inner.answer, outcome.change), inner.change)
