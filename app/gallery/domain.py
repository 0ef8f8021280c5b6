"""What a gallery takes in and gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
Metadata = dict[str, Any]
Aggregate = Literal["mean", "best", "quality"]
Rerank = Literal["k_reciprocal"]
Quality = Literal["off", "warn", "reject"]


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
class ShotFilter:
    """Which of a gallery's shots are searched; one that says nothing takes all.

    Attributes:
        cameras: only shots of these cameras; None takes any, and those of no camera.
        without_cameras: no shots of these.
        taken_from, taken_before: only shots taken at or after the first and before the second, in seconds since 1970.
        metadata: only shots whose metadata has these entries.
    """

    cameras: frozenset[str] | None = None
    without_cameras: frozenset[str] = frozenset()
    taken_from: float | None = None
    taken_before: float | None = None
    metadata: Metadata = field(default_factory=dict)

    @property
    def takes_all(self) -> bool:
        """Whether it says nothing."""
        return self == ShotFilter()


@dataclass(frozen=True)
class Search:
    """How a gallery is searched for one person.

    Attributes:
        limit: identities to return; fewer only if fewer have shots that the filter takes.
        aggregate: over the crops of the query, "mean", "best", or "quality" for a mean weighted by `qualities`, in
            which an identity's poor shots count less too.
        qualities: of the crops, 0..1 each; equal ones if not given.
        filter: which shots are searched.
        rerank: order the best of them again by shared neighbours.
        min_version: the gallery has to have seen so many changes.
    """

    limit: int
    aggregate: Aggregate = "mean"
    qualities: tuple[float, ...] | None = None
    filter: ShotFilter = ShotFilter()
    rerank: Rerank | None = None
    min_version: int = 0

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit is {self.limit}; it has to be at least 1")
        if self.qualities is not None and not all(0 <= quality <= 1 for quality in self.qualities):
            raise ValueError(f"qualities are {self.qualities}; each has to be 0 to 1")


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
    """What became of the crops of one call, in their order.

    Attributes:
        notes: JSON objects of the caller's, kept with the answer where it is kept.
    """

    identity_id: str
    shots: Sequence[EnrolledShot]
    gallery_version: int
    notes: Sequence[Metadata] = ()


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
        ttl_seconds: how long a shot is kept after its enrolment; None is for ever.
        quality: what happens to crops that show too little of a person: nothing, they are told of, or refused.
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
    ttl_seconds: float | None = None
    quality: Quality = "off"


@dataclass(frozen=True)
class Retention:
    """How long shots are kept, in seconds after their enrolment; None is for ever."""

    ttl_seconds: float | None

    def __post_init__(self) -> None:
        if self.ttl_seconds is not None and not self.ttl_seconds > 0:
            raise ValueError(f"ttl_seconds is {self.ttl_seconds}; it has to be more than 0")


FOREVER = Retention(None)


@dataclass(frozen=True)
class BestShot:
    """The shot of an identity that is most like any crop of the query."""

    shot_id: str
    similarity: float
    camera: str | None


@dataclass(frozen=True)
class RankedIdentity:
    """One identity by how well it fits the query.

    Attributes:
        rank: counts from 1.
        similarity: -1..1, fused over the crops.
        shots: how many of its shots were searched.
        reranked_distance: what it was ordered by, smaller first, if it was re-ranked: 0..1.
    """

    rank: int
    identity_id: str
    label: str | None
    similarity: float
    shots: int
    best_shot: BestShot
    reranked_distance: float | None = None


@dataclass(frozen=True)
class Judged:
    """Those among whom probabilities are shared: the first of a ranking, the same ones whatever its limit.

    Attributes:
        similarities: as `RankedIdentity` has them.
        shots: how many of each one's shots were searched.
    """

    similarities: list[float]
    shots: list[int]


@dataclass(frozen=True)
class Ranking:
    """The identities that fit best, best first, as the gallery was at one version.

    Attributes:
        searched: identities with shots that were searched, of which these are the best.
        judged: the best of them, listed or not, in the same order.
    """

    identities: list[RankedIdentity]
    gallery_version: int
    searched: int
    judged: Judged


@dataclass(frozen=True)
class Moved:
    """What became of shots that now belong to somebody else.

    Attributes:
        gallery: where they are now.
        identity_id: whose they are now.
        shot_ids: those that went, each as it was called before.
        duplicates: those that were erased, because the same picture was there already.
        gallery_version: of that gallery.
    """

    gallery: str
    identity_id: str
    shot_ids: list[str]
    duplicates: list[str]
    gallery_version: int


@dataclass(frozen=True)
class ErasureReceipt:
    """What an erasure removed; no identity where the whole gallery went."""

    gallery: str
    identity_id: str | None
    shot_ids: list[str]
    erased_at: float
    gallery_version: int
