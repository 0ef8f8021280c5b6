"""What a gallery takes in and gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
Metadata = dict[str, Any]
Aggregate = Literal["mean", "best"]


@dataclass(frozen=True, eq=False)
class NewShot:
    """One crop to enrol.

    Attributes:
        embedding: (D,) float32 of unit length.
        image_sha256: of the picture's bytes, lower-case hexadecimal; what makes two shots the same one.
        camera: which camera saw it.
        taken_at: when, in seconds since 1970.
        metadata: a JSON object of the caller's.
        quality: 0..1, how much the crop can be trusted.
    """

    embedding: Embeddings
    image_sha256: str | None = None
    camera: str | None = None
    taken_at: float | None = None
    metadata: Metadata = field(default_factory=dict)
    quality: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 1:
            raise ValueError(f"quality is {self.quality}; it has to be 0 to 1")


@dataclass(frozen=True)
class Shot:
    """One enrolled crop; `version` is the gallery version that brought it."""

    shot_id: str
    identity_id: str
    image_sha256: str | None
    camera: str | None
    taken_at: float | None
    metadata: Metadata
    created_at: float
    version: int
    quality: float = 1.0


@dataclass(frozen=True)
class EnrolledShot:
    """What became of one crop: a new shot, or the shot that it already was."""

    shot_id: str
    status: Literal["created", "duplicate"]


@dataclass(frozen=True)
class Enrolment:
    """What became of the crops of one call, in their order."""

    identity_id: str
    shots: Sequence[EnrolledShot]
    gallery_version: int


@dataclass(frozen=True)
class Identity:
    """One person of a gallery; `version` is the gallery version that last changed the person or their shots."""

    identity_id: str
    label: str | None
    metadata: Metadata
    shots: int
    created_at: float
    version: int


@dataclass(frozen=True)
class GalleryInfo:
    """A gallery at one version.

    Attributes:
        checkpoint: sha256 of the weights that computed its embeddings.
        version: how many changes it has seen.
    """

    name: str
    checkpoint: str
    embedding_dim: int
    identities: int
    shots: int
    version: int
    created_at: float
    label: str | None
    metadata: Metadata


@dataclass(frozen=True)
class BestShot:
    """The shot of an identity that is most like any crop of the query."""

    shot_id: str
    similarity: float
    camera: str | None


@dataclass(frozen=True)
class RankedIdentity:
    """One identity by how well it fits the query; `rank` counts from 1, `similarity` is -1..1."""

    rank: int
    identity_id: str
    label: str | None
    similarity: float
    shots: int
    best_shot: BestShot


@dataclass(frozen=True)
class Ranking:
    """The identities that fit best, best first, as the gallery was at one version."""

    identities: list[RankedIdentity]
    gallery_version: int


@dataclass(frozen=True)
class ErasureReceipt:
    """What an erasure removed; no identity where the whole gallery went."""

    gallery: str
    identity_id: str | None
    shot_ids: list[str]
    erased_at: float
    gallery_version: int
