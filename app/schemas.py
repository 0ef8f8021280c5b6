"""Request and response bodies, and how they are made from domain objects."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from app.gallery import domain
from app.pipelines.reid import Answer, Embedded, Timings
from models.checkpoint import Checkpoint

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}$"),
    Field(description="1 to 128 letters, digits and . _ @ : -, beginning with a letter or digit."),
]


MAX_METADATA_BYTES = 16_384
MAX_METADATA_DEPTH = 16


def _object_from_text(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON object, for example {"door": 3}') from None


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if _depth(metadata) > MAX_METADATA_DEPTH:
        raise ValueError(f"is nested more than {MAX_METADATA_DEPTH} deep")
    try:
        size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise ValueError("holds a number or a character that JSON cannot carry") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; at most {MAX_METADATA_BYTES} are kept")
    return metadata


def _depth(value: object) -> int:
    """How deep lists and objects are nested; counted level by level, because recursion could be exhausted."""
    depth, level = 0, [value]
    while level:
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth


Metadata = Annotated[dict[str, Any], BeforeValidator(_object_from_text), AfterValidator(_bounded)]


class Problem(BaseModel):
    """application/problem+json (RFC 9457)."""

    type: str = Field(examples=["/problems/image-too-large"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    field: str | None = None
    limit: float | None = None


class ItemStatus(BaseModel):
    """What became of one picture of a request."""

    index: int
    status: Literal["ok", "error"]
    problem: Problem | None = None


class EmbeddingItem(ItemStatus):
    """One picture's embedding: a list of floats, or base64 of little-endian float32."""

    embedding: list[float] | str | None = None


class Embeddings(BaseModel):
    """Answer of /reid/embed."""

    model: str
    dim: int
    embeddings: list[EmbeddingItem]
    timings_ms: "TimingsMs"


class TimingsMs(BaseModel):
    """Where the time went, in milliseconds."""

    prepare: float
    queue: float
    forward: float
    search: float
    total: float

    @classmethod
    def of(cls, timings: Timings) -> "TimingsMs":
        """Round to a microsecond."""
        return cls(**{name: round(value, 3) for name, value in vars(timings).items()})


class BestShot(BaseModel):
    """The enrolled crop that looks most like the query."""

    shot_id: str
    similarity: float
    camera: str | None


class RankedIdentity(BaseModel):
    """One identity of the gallery, by how well it fits the query."""

    rank: int
    identity_id: str
    label: str | None
    similarity: float = Field(description="Cosine similarity, -1 to 1, fused over the query's crops.")
    probability: float | None = Field(description="That it is the same person; null until the gallery is calibrated.")
    shots: int
    best_shot: BestShot


class QueryAnswer(BaseModel):
    """Answer of /reid/query."""

    model: str
    decision: Literal["match", "unknown"]
    threshold: float | None = Field(description="Similarity from which the decision is a match; not per gallery yet.")
    identities: list[RankedIdentity]
    shots: list[ItemStatus]
    gallery: str
    gallery_version: int
    timings_ms: TimingsMs

    @classmethod
    def of(cls, checkpoint: Checkpoint, gallery: str, answer: Answer, shots: list[ItemStatus]) -> "QueryAnswer":
        """Map a ranking to the answer."""
        identities = [
            RankedIdentity(
                rank=found.rank,
                identity_id=found.identity_id,
                label=found.label,
                similarity=found.similarity,
                probability=None,
                shots=found.shots,
                best_shot=BestShot(**vars(found.best_shot)),
            )
            for found in answer.ranking.identities
        ]
        return cls(
            model=checkpoint.name,
            decision=answer.decision,
            threshold=checkpoint.threshold.similarity if checkpoint.threshold else None,
            identities=identities,
            shots=shots,
            gallery=gallery,
            gallery_version=answer.ranking.gallery_version,
            timings_ms=TimingsMs.of(answer.timings),
        )


class Verification(BaseModel):
    """Answer of /reid/verify."""

    model: str
    similarity: float
    probability: float | None
    decision: Literal["match", "unknown"]
    threshold: float | None
    shots_a: list[ItemStatus]
    shots_b: list[ItemStatus]


class NewGallery(BaseModel):
    """Body of POST /galleries."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    label: str | None = Field(None, max_length=256)
    metadata: Metadata = {}


class Changes(BaseModel):
    """Body of PATCH and PUT: what is given replaces what was there."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, max_length=256)
    metadata: Metadata | None = None


class Gallery(BaseModel):
    """A gallery, bound to the checkpoint that embeds its shots."""

    name: str
    label: str | None
    metadata: dict[str, Any]
    checkpoint_sha256: str
    embedding_dim: int
    identities: int
    shots: int
    version: int
    created_at: float

    @classmethod
    def of(cls, info: domain.GalleryInfo) -> "Gallery":
        """Map the domain object."""
        values = dict(vars(info))
        return cls(checkpoint_sha256=values.pop("checkpoint"), **values)


class Identity(BaseModel):
    """One person of a gallery."""

    identity_id: str
    label: str | None
    metadata: dict[str, Any]
    shots: int
    created_at: float
    version: int

    @classmethod
    def of(cls, identity: domain.Identity) -> "Identity":
        """Map the domain object."""
        return cls(**vars(identity))


class IdentityPage(BaseModel):
    """Identities in order of their ids; `next_cursor` continues."""

    identities: list[Identity]
    next_cursor: str | None


class Shot(BaseModel):
    """One enrolled crop."""

    shot_id: str
    camera: str | None
    taken_at: float | None
    metadata: dict[str, Any]
    image_sha256: str | None
    created_at: float

    @classmethod
    def of(cls, shot: domain.Shot) -> "Shot":
        """Map the domain object."""
        return cls(**{name: getattr(shot, name) for name in cls.model_fields})


class Shots(BaseModel):
    """The shots of one identity."""

    identity_id: str
    shots: list[Shot]


class EnrolledShot(BaseModel):
    """What became of one crop."""

    index: int
    status: Literal["created", "duplicate", "error"]
    shot_id: str | None = None
    problem: Problem | None = None


class Enrolled(BaseModel):
    """Answer of an enrolment; what is `created` is on disk."""

    identity_id: str
    shots: list[EnrolledShot]
    gallery_version: int


class ErasureReceipt(BaseModel):
    """What an erasure removed."""

    gallery: str
    identity_id: str | None
    shot_ids: list[str]
    erased_at: float
    gallery_version: int

    @classmethod
    def of(cls, receipt: domain.ErasureReceipt) -> "ErasureReceipt":
        """Map the domain object."""
        return cls(**vars(receipt))


class Model(BaseModel):
    """A served checkpoint."""

    name: str
    task: str
    network: str
    sha256: str
    licence: str
    commercial_use: bool
    trained_on: list[str]
    input_size: tuple[int, int]
    measured: dict[str, Any]
    threshold: dict[str, Any] | None
    notes: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Model":
        """Map a manifest entry."""
        return cls(
            name=checkpoint.name,
            task=checkpoint.task,
            network=checkpoint.network,
            sha256=checkpoint.sha256,
            licence=checkpoint.licence,
            commercial_use=checkpoint.commercial_use,
            trained_on=list(checkpoint.trained_on),
            input_size=checkpoint.preprocessing.size,
            measured=checkpoint.measured,
            threshold=vars(checkpoint.threshold) if checkpoint.threshold else None,
            notes=checkpoint.notes,
        )


class Models(BaseModel):
    """Answer of /models."""

    device: str
    models: list[Model]


def item_statuses(embedded: Embedded, problem_bodies: list[dict[str, Any] | None]) -> list[ItemStatus]:
    """Per-picture statuses; `problem_bodies` has None where a picture worked."""
    return [
        ItemStatus(index=index, status="ok" if body is None else "error", problem=Problem(**body) if body else None)
        for index, (_, body) in enumerate(zip(embedded.items, problem_bodies, strict=True))
    ]
