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
    fpir: float = Field(description="How often a stranger is taken for somebody in a gallery of this size.")
    fnir: float = Field(description="How often somebody who is enrolled is taken for a stranger.")


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
    changes_since: int | None
    stale: bool = Field(description="The number of shots has changed by over a fifth since; fit it again.")
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
            stale=report.stale,
            gallery_version=report.gallery_version,
        )
