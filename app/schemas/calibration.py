"""Bodies of /galleries/{gallery}/calibration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.pipelines.calibration import CalibrationReport

MAX_PAIRS = 1_000_000


class LabelledPair(BaseModel):
    """A similarity that this service gave, and the truth about it."""

    model_config = ConfigDict(extra="forbid")

    similarity: float = Field(ge=-1, le=1)
    same: bool


class NewCalibration(BaseModel):
    """Body of POST; an empty one fits the calibration on the gallery's own shots."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[LabelledPair] | None = Field(None, max_length=MAX_PAIRS)


class Histograms(BaseModel):
    """Counts of similarities between `edges`, of which there is one more."""

    edges: list[float]
    genuine: list[int]
    impostors: list[int]


class OperatingPoint(BaseModel):
    """What a threshold costs in this gallery."""

    threshold: float = Field(description="Similarity to an identity with one shot; more shots ask for a little more.")
    fpir: float = Field(
        description="How often a stranger is taken for somebody in a gallery of this size, as estimated from the"
        " strangers that the calibration was fitted on."
    )
    fnir: float = Field(description="How often somebody who is enrolled is taken for a stranger, estimated likewise.")


class Calibration(BaseModel):
    """What similarities of a gallery are judged by."""

    source: Literal["gallery", "checkpoint"]
    fitted_on: str
    genuine: int = Field(description="Comparisons of one person that it was fitted on.")
    impostors: int = Field(description="Comparisons of two people.")
    people: int = Field(description="In these comparisons; 0 for labelled pairs.")
    equal_error_rate: float
    identities: int = Field(description="In the gallery now, which is the size of the rates below.")
    targets: list[OperatingPoint]
    curve: list[OperatingPoint]
    histograms: Histograms | None = Field(description="Null for the checkpoint's own calibration.")
    fitted_at: float | None
    fitted_version: int | None = Field(description="gallery_version of the shots that it was fitted on.")
    changes_since: int | None = Field(description="How many changes of any kind the gallery has seen since.")
    shots_new: int | None = Field(description="Shots that came since and are there.")
    shots_gone: int | None = Field(
        description="Shots of then that are gone. One that was given to somebody else counts as gone and as new."
    )
    stale: bool = Field(description="New and gone shots together are over a fifth of those of then; fit it again.")
    stale_since: float | None = Field(description="When that was noticed, in seconds since 1970; null if it is not so.")
    gallery_version: int

    @classmethod
    def of(cls, report: CalibrationReport) -> "Calibration":
        """Map the domain object."""
        fitted, stored = report.calibration, report.stored
        return cls(
            source=report.source,
            fitted_on=fitted.fitted_on,
            genuine=fitted.genuine,
            impostors=fitted.impostors,
            people=fitted.identities,
            equal_error_rate=fitted.equal_error_rate,
            identities=report.identities,
            targets=[OperatingPoint(**vars(point)) for point in report.targets],
            curve=[OperatingPoint(**vars(point)) for point in report.curve],
            histograms=Histograms(**vars(report.histograms)) if report.histograms else None,
            fitted_at=stored.fitted_at if stored else None,
            fitted_version=stored.gallery_version if stored else None,
            changes_since=report.gallery_version - stored.gallery_version if stored else None,
            shots_new=report.drift.new if report.drift else None,
            shots_gone=report.drift.gone if report.drift else None,
            stale=stored is not None and stored.stale_since is not None,
            stale_since=stored.stale_since if stored else None,
            gallery_version=report.gallery_version,
        )
