"""Bodies of galleries, identities and shots, and how they are made from domain objects."""

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.gallery import domain
from app.gallery.audit import AuditEntry
from app.gallery.exporting import IdentityExport
from app.schemas.common import Metadata, Name, Problem

Quality = Annotated[
    domain.Quality,
    Field(
        description="What happens to crops that show too little of a person: nothing; the answer tells; or they are"
        " refused."
    ),
]
# Ten thousand years; more would be no time that a clock can show.
TtlSeconds = Annotated[
    float,
    Field(gt=0, le=3.2e11, description="Shots are erased so long after their enrolment; null keeps them."),
]


class NewGallery(BaseModel):
    """Body of POST /galleries."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"name": "lab", "ttl_seconds": 2_592_000}]}
    )

    name: Name
    label: str | None = Field(None, max_length=256)
    metadata: Metadata = {}
    ttl_seconds: TtlSeconds | None = None
    quality: Quality = "off"


class Changes(BaseModel):
    """Body of PATCH and PUT: what is given replaces what was there."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"label": "Anna", "metadata": {"door": 3}}]}
    )

    label: str | None = Field(None, max_length=256)
    metadata: Metadata | None = None


class GalleryChanges(Changes):
    """Body of PATCH of a gallery; `ttl_seconds: null` keeps shots for ever, and without it nothing changes there."""

    ttl_seconds: TtlSeconds | None = None
    quality: Quality | None = None

    def retention(self) -> domain.Retention | None:
        """How long shots are to be kept, if it was said."""
        return domain.Retention(self.ttl_seconds) if "ttl_seconds" in self.model_fields_set else None


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
    gallery_version: int = Field(description="The same as `version`, as every other answer calls it.")
    created_at: float
    ttl_seconds: float | None
    quality: domain.Quality

    @classmethod
    def of(cls, info: domain.GalleryInfo) -> "Gallery":
        """Map the domain object."""
        values = dict(vars(info))
        return cls(checkpoint_sha256=values.pop("checkpoint"), gallery_version=info.version, **values)


class Identity(BaseModel):
    """One person of a gallery."""

    identity_id: str
    label: str | None
    metadata: dict[str, Any]
    shots: int
    created_at: float
    version: int = Field(description="The gallery_version that last changed the person or their shots.")
    gallery_version: int

    @classmethod
    def of(cls, identity: domain.Identity, gallery_version: int) -> "Identity":
        """Map the domain object; the answer knows of everything up to a version of the gallery, or of more."""
        return cls(**vars(identity), gallery_version=max(gallery_version, identity.version))


class IdentityPage(BaseModel):
    """Identities in order of their ids; `next_cursor` continues."""

    identities: list[Identity]
    next_cursor: str | None
    gallery_version: int


class Shot(BaseModel):
    """One enrolled crop."""

    shot_id: str
    camera: str | None
    taken_at: float | None
    metadata: dict[str, Any]
    image_sha256: str | None
    quality: float
    created_at: float

    @classmethod
    def of(cls, shot: domain.Shot) -> "Shot":
        """Map the domain object."""
        return cls(**{name: getattr(shot, name) for name in cls.model_fields})


class Shots(BaseModel):
    """The shots of one identity."""

    identity_id: str
    shots: list[Shot]
    gallery_version: int


class ExportedShot(Shot):
    """A shot with the numbers that were computed from it."""

    embedding: str = Field(description="Base64 of float32 numbers, little-endian.")


class TrailEntry(BaseModel):
    """One entry of the audit trail."""

    sequence: int
    at: float
    actor: str
    action: str
    gallery: str | None
    identity_id: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> "TrailEntry":
        """Map the domain object."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class ExportedIdentity(BaseModel):
    """All that is kept about one person."""

    gallery: str
    checkpoint_sha256: str
    embedding_dim: int
    identity: Identity
    shots: list[ExportedShot]
    audit: list[TrailEntry] = Field(description="What was done with the person, oldest first; searches name nobody.")
    gallery_version: int

    @classmethod
    def of(cls, exported: IdentityExport, gallery: domain.GalleryInfo) -> "ExportedIdentity":
        """Map the domain object."""
        pairs = zip(exported.shots, exported.embeddings, strict=True)
        return cls(
            gallery=gallery.name,
            checkpoint_sha256=gallery.checkpoint,
            embedding_dim=gallery.embedding_dim,
            identity=Identity.of(exported.identity, exported.gallery_version),
            shots=[
                ExportedShot(**vars(Shot.of(shot)), embedding=base64.b64encode(row.tobytes()).decode())
                for shot, row in pairs
            ],
            audit=[TrailEntry.of(entry) for entry in exported.entries],
            gallery_version=exported.gallery_version,
        )


class CropQuality(BaseModel):
    """How much of a person a crop shows, if the gallery asks."""

    score: float = Field(description="0 to 1; 1 is one whole person.")
    reasons: list[str] = Field(description="Why it is less than 1, such as legs_hidden or cut_off.")


class EnrolledShot(BaseModel):
    """What became of one crop."""

    index: int
    status: Literal["created", "duplicate", "error"]
    shot_id: str | None = None
    quality: CropQuality | None = None
    problem: Problem | None = None


class Enrolled(BaseModel):
    """Answer of an enrolment; what is `created` is on disk."""

    identity_id: str
    shots: list[EnrolledShot]
    gallery_version: int


class Moved(BaseModel):
    """Answer of renaming, merging, splitting and moving."""

    gallery: str = Field(description="Where the shots are now.")
    identity_id: str = Field(description="Whose they are now.")
    shot_ids: list[str]
    duplicates: list[str] = Field(description="Shots that were erased: the same picture was there already.")
    gallery_version: int

    @classmethod
    def of(cls, moved: domain.Moved) -> "Moved":
        """Map the domain object."""
        return cls(**vars(moved))


class NewName(BaseModel):
    """Body of :rename."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"identity_id": "p-118"}]})

    identity_id: Name


class Merge(BaseModel):
    """Body of :merge."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"source": "p-119"}]})

    source: Name = Field(description="Identity whose shots come here, and that is dropped.")


class SomeShots(BaseModel):
    """Body of :split and of shots:move."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"identity_id": "p-120", "shot_ids": ["0199a3d2c4e87b10f3a1b2c4"]}]},
    )

    identity_id: Name = Field(description="Who gets the shots.")
    shot_ids: list[Name] = Field(min_length=1, max_length=10_000)


class Destination(BaseModel):
    """Body of :move."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"gallery": "archive"}]})

    gallery: Name


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
