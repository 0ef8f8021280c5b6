"""Bodies of galleries, identities and shots, and how they are made from domain objects."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.gallery import domain
from app.schemas.common import Metadata, Name, Problem


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
