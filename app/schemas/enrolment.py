"""Fields and answers of enrolments."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat

from app.schemas.common import Metadata, Name, Problem, from_text
from app.schemas.galleries import CropQuality

# Strict in a form too: what its text holds is JSON.
Numbers = Annotated[list[StrictFloat] | list[list[StrictFloat]], from_text("a list of numbers, or a list of such")]


class EnrolOptions(BaseModel):
    """Fields of an enrolment beside the pictures."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, max_length=256, description="Shown with the identity; kept if it has one.")
    camera: str | None = Field(None, max_length=128, description="Which camera saw the crops.")
    taken_at: float | None = Field(None, description="When, in seconds since 1970.", allow_inf_nan=False)
    metadata: Metadata = Field({}, description="JSON object, stored with each shot.")
    quality: float | None = Field(
        None, ge=0, le=1, description="How much the crops can be trusted; measured if absent."
    )
    embedding: Numbers | None = Field(None, description="One embedding, or a list of them, instead of pictures.")


class BulkLine(BaseModel):
    """One line of shots:batch, beside its picture."""

    model_config = ConfigDict(extra="forbid")

    identity_id: Name
    label: str | None = Field(None, max_length=256)
    camera: str | None = Field(None, max_length=128)
    taken_at: float | None = Field(None, allow_inf_nan=False)
    metadata: Metadata = {}
    quality: float | None = Field(None, ge=0, le=1)
    embedding: list[float] | None = None
    idempotency_key: str | None = Field(None, min_length=1, max_length=255)


class BulkShot(BaseModel):
    """What became of one line."""

    index: int
    status: Literal["created", "duplicate", "error"]
    identity_id: str | None = Field(None, description="Absent where the line could not be read.")
    shot_id: str | None = None
    quality: CropQuality | None = None
    problem: Problem | None = None


class BulkEnrolled(BaseModel):
    """Answer of shots:batch; what is `created` is on disk. Send all lines again to finish what failed."""

    created: int
    duplicates: int
    errors: int
    shots: list[BulkShot]
    gallery_version: int
