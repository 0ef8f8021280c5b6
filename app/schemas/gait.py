"""Bodies of /gait/age, and how they are made from domain objects."""

from pydantic import BaseModel, ConfigDict, Field

from app.gait_uploads import Notice
from app.pipelines.gait import AgedVideo, AgedWalk
from app.schemas.pose import Box
from models.gait.age import AgeEstimate
from models.gait.gei import Gei


class GaitFields(BaseModel):
    """Fields of /gait/age beside the files."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A served gait model; the default one if not given.")


class Interval(BaseModel):
    """Holds the true age as often as the level says, among walkers like those it was fitted on."""

    level: float
    low: float
    high: float


class AgeYears(BaseModel):
    """The age in years."""

    median: float
    mean: float
    interval: Interval | None = None

    @classmethod
    def of(cls, age: AgeEstimate) -> "AgeYears":
        """Map an estimate; a tenth of a year is enough."""
        held = age.interval
        interval = Interval(level=held.level, low=round(held.low, 1), high=round(held.high, 1)) if held else None
        return cls(median=round(age.median, 1), mean=round(age.mean, 1), interval=interval)


class Distribution(BaseModel):
    """Probabilities of whole years."""

    first_age: int = 0
    step: int = 1
    probabilities: list[float]


class Sequence(BaseModel):
    """What the answer is made of; a gait energy image that was sent does not say."""

    frames: int | None
    frames_used: int | None
    gait_cycles: float | None
    period_frames: float | None = None
    quality: float | None = Field(None, description="0 to 1: how well the silhouettes agree.")
    dropped: dict[str, int] = Field(default={}, description="Frames that were not used, by reason.")

    @classmethod
    def of(cls, gei: Gei | None) -> "Sequence":
        """Map a gait energy image."""
        if gei is None:
            return cls(frames=None, frames_used=None, gait_cycles=None)
        reasons = [frame.reason for frame in gei.dropped]
        return cls(
            frames=gei.frames,
            frames_used=gei.frames_used,
            gait_cycles=round(gei.gait_cycles, 2),
            period_frames=None if gei.period_frames is None else round(gei.period_frames, 2),
            quality=round(gei.quality, 3),
            dropped={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        )


class Warning(BaseModel):
    """Something the answer should not be trusted for."""

    code: str
    detail: str

    @classmethod
    def each(cls, notices: tuple[Notice, ...]) -> "list[Warning]":
        """Map notices."""
        return [cls(code=notice.code, detail=notice.detail) for notice in notices]


class WalkAge(BaseModel):
    """The age of one walker."""

    age_years: AgeYears
    distribution: Distribution
    gender: dict[str, float] | None
    sequence: Sequence
    warnings: list[Warning]

    @classmethod
    def of(cls, walk: AgedWalk) -> "WalkAge":
        """Map a walk."""
        return cls(**_parts(walk))


class GaitAnswer(WalkAge):
    """Answer of /gait/age for one walk."""

    model: str

    @classmethod
    def answer(cls, model: str, walk: AgedWalk) -> "GaitAnswer":
        """Map a walk."""
        return cls(model=model, **_parts(walk))


class TrackAge(WalkAge):
    """The age of one person in a video, with the frames and boxes they were found in."""

    track: int
    frames: list[int]
    boxes: list[Box]


class VideoSize(BaseModel):
    """What a video is."""

    frames: int
    frames_per_second: float
    width: int
    height: int


class GaitVideoAnswer(BaseModel):
    """Answer of /gait/age for a video."""

    model: str
    video: VideoSize
    tracks: list[TrackAge]
    warnings: list[Warning]

    @classmethod
    def of(cls, model: str, seen: AgedVideo) -> "GaitVideoAnswer":
        """Map a video."""
        height, width = seen.video.size
        rate = round(seen.video.frames_per_second, 3)
        tracks = [
            TrackAge(
                track=walk.number,
                frames=walk.frames.tolist(),
                boxes=[Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in walk.boxes.round(1).tolist()],
                **_parts(aged),
            )
            for walk, aged in zip(seen.video.walks, seen.ages, strict=True)
        ]
        size = VideoSize(frames=seen.video.frames, frames_per_second=rate, width=width, height=height)
        return cls(model=model, video=size, tracks=tracks, warnings=Warning.each(seen.notices))


def _parts(walk: AgedWalk) -> dict[str, object]:
    gender = walk.age.gender
    return {
        "age_years": AgeYears.of(walk.age),
        "distribution": Distribution(probabilities=[round(float(p), 6) for p in walk.age.probabilities]),
        "gender": None if gender is None else {name: round(share, 4) for name, share in gender.items()},
        "sequence": Sequence.of(walk.gei),
        "warnings": Warning.each(walk.notices),
    }
