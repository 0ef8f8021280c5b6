"""Answers of the server. Fields that a newer server adds are ignored."""

from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """Why one item of a request failed."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    limit: float | None = None


class ItemStatus(msgspec.Struct, frozen=True):
    """What became of one picture: "ok" or "error"."""

    index: int
    status: str
    problem: Problem | None = None


class Embedding(msgspec.Struct, frozen=True):
    """One crop's embedding, of unit length."""

    index: int
    status: str
    embedding: list[float] | None = None
    problem: Problem | None = None


class Embeddings(msgspec.Struct, frozen=True):
    """Embeddings of all crops of a request, in order."""

    model: str
    dim: int
    embeddings: list[Embedding]


class BestShot(msgspec.Struct, frozen=True):
    """The enrolled crop that looks most like the query."""

    shot_id: str
    similarity: float
    camera: str | None = None


class RankedIdentity(msgspec.Struct, frozen=True):
    """One identity of the gallery; rank 1 fits best."""

    rank: int
    identity_id: str
    similarity: float
    shots: int
    best_shot: BestShot
    label: str | None = None
    probability: float | None = None


class QueryAnswer(msgspec.Struct, frozen=True):
    """Ranked identities, and whether the first one is the person ("match") or nobody enrolled is ("unknown")."""

    model: str
    decision: str
    identities: list[RankedIdentity]
    shots: list[ItemStatus]
    gallery: str
    gallery_version: int
    threshold: float | None = None


class Verification(msgspec.Struct, frozen=True):
    """Whether two sets of crops show one person."""

    model: str
    similarity: float
    decision: str
    probability: float | None = None
    threshold: float | None = None


class Box(msgspec.Struct, frozen=True):
    """Pixels of the upright picture; right and bottom are outside."""

    x1: float
    y1: float
    x2: float
    y2: float


class Keypoint(msgspec.Struct, frozen=True):
    """A named point in pixels of the upright picture."""

    name: str
    x: float
    y: float
    score: float


class Person(msgspec.Struct, frozen=True):
    """One person with keypoints in the order of the skeleton."""

    box: Box
    score: float
    skeleton: str
    keypoints: list[Keypoint]


class PosedImage(msgspec.Struct, frozen=True):
    """One picture with everybody found in it."""

    index: int
    status: str
    width: int | None = None
    height: int | None = None
    persons: list[Person] = []
    problem: Problem | None = None


class Poses(msgspec.Struct, frozen=True):
    """Poses of all pictures of a request, in order."""

    model: str
    images: list[PosedImage]


class Gallery(msgspec.Struct, frozen=True):
    """A gallery with its counts."""

    name: str
    identities: int
    shots: int
    version: int
    checkpoint_sha256: str
    embedding_dim: int
    label: str | None = None
    metadata: dict[str, Any] = {}
    ttl_seconds: float | None = None
    quality: str = "off"


class Identity(msgspec.Struct, frozen=True):
    """One person of a gallery."""

    identity_id: str
    shots: int
    label: str | None = None
    metadata: dict[str, Any] = {}


class IdentityPage(msgspec.Struct, frozen=True):
    """Some identities; `next_cursor` continues."""

    identities: list[Identity]
    next_cursor: str | None = None


class Shot(msgspec.Struct, frozen=True):
    """One enrolled crop."""

    shot_id: str
    camera: str | None = None
    taken_at: float | None = None
    metadata: dict[str, Any] = {}


class Shots(msgspec.Struct, frozen=True):
    """The crops of one identity."""

    identity_id: str
    shots: list[Shot]


class EnrolledShot(msgspec.Struct, frozen=True):
    """What became of one crop: "created" (it is on disk), "duplicate" or "error"."""

    index: int
    status: str
    shot_id: str | None = None
    problem: Problem | None = None


class Enrolled(msgspec.Struct, frozen=True):
    """The outcome of an enrolment."""

    identity_id: str
    shots: list[EnrolledShot]
    gallery_version: int


class ErasureReceipt(msgspec.Struct, frozen=True):
    """What an erasure removed."""

    gallery: str
    shot_ids: list[str]
    erased_at: float
    gallery_version: int
    identity_id: str | None = None


class ServedModel(msgspec.Struct, frozen=True):
    """A served checkpoint, with what may be done with it."""

    name: str
    task: str
    network: str
    licence: str
    commercial_use: bool
    notes: str = ""


class Models(msgspec.Struct, frozen=True):
    """The checkpoints that the server answers with."""

    device: str
    models: list[ServedModel]


class Interval(msgspec.Struct, frozen=True):
    """Holds the age with the stated level, on data like those it was fitted on."""

    level: float
    low: float
    high: float


class AgeYears(msgspec.Struct, frozen=True):
    """An age in years."""

    median: float
    mean: float
    interval: Interval | None = None


class AgeDistribution(msgspec.Struct, frozen=True):
    """Probabilities of the ages first_age, first_age + step, …"""

    first_age: int
    step: int
    probabilities: list[float]


class Warned(msgspec.Struct, frozen=True):
    """A reason to trust an answer less."""

    code: str
    detail: str


class GaitAge(msgspec.Struct, frozen=True):
    """Age from one walk, or, of a video, one answer for each person in `tracks`."""

    model: str
    age_years: AgeYears | None = None
    distribution: AgeDistribution | None = None
    gender: dict[str, float] | None = None
    sequence: dict[str, Any] = {}
    warnings: list[Warned] = []
    tracks: list[dict[str, Any]] = []
