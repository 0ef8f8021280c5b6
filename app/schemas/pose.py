"""Bodies of /pose, and how they are made from domain objects."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.errors import INVALID_FIELD, ProblemError
from app.pipelines.pose import LEAST_DETECTED_SCORE, MAX_PERSONS, PosedImage, PoseOptions, PoseTimings
from app.schemas.common import ItemStatus, Whole
from app.strict_json import JsonError, read_json
from models.keypoints import Skeleton
from models.predictors.pose import Pose

FORM = (
    'must be a JSON list of boxes like {"x1": 10, "y1": 20, "x2": 110, "y2": 320}; for several images a list of such'
    " lists, with null where persons are to be detected"
)


class Box(BaseModel):
    """A rectangle in pixels of the upright picture; its right and bottom are exclusive."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    x1: float
    y1: float
    x2: float
    y2: float


def _lists_of_boxes(value: object) -> object:
    """Boxes of one picture, or of several, as a list for each picture; form fields are JSON text."""
    try:
        parsed = read_json(value) if isinstance(value, str) else value
    except JsonError as error:
        raise ValueError(f"{FORM}; it {error}") from None
    if not isinstance(parsed, list) or not all(isinstance(item, dict | list | None) for item in parsed):
        raise ValueError(FORM)
    of_several = any(not isinstance(item, dict) for item in parsed)
    lists = parsed if of_several else [parsed]
    for item in lists:
        if item is not None and not (isinstance(item, list) and all(isinstance(box, dict) for box in item)):
            raise ValueError(FORM)
    return lists


class PoseFields(BaseModel):
    """Fields of /pose beside the pictures."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    boxes: Annotated[list[list[Box] | None] | None, BeforeValidator(_lists_of_boxes)] = Field(
        None,
        description="Where the persons are, as JSON: a list of boxes {x1, y1, x2, y2} for one image, a list of lists"
        " for several (null: detect there), in pixels of the upright image. Without it persons are detected.",
    )
    model: str | None = Field(None, description="A served pose model; see /models.")
    min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description=f"Persons with a lower score are left out. By default detected ones below {LEAST_DETECTED_SCORE},"
        " and none whose boxes are given.",
    )
    flip_test: bool | None = Field(
        None, description="Average with the mirrored picture: twice the cost, steadier. By default as the model says."
    )
    max_persons: Whole = Field(20, ge=1, le=MAX_PERSONS, description="Found persons at most, the surest first.")
    render: bool = Field(False, description="Answer with the picture and the skeletons in it, as PNG.")

    def options(self) -> PoseOptions:
        """What the pipeline needs to know."""
        return PoseOptions(self.min_score, self.flip_test, self.max_persons)

    def boxes_for(self, images: int) -> list[NDArray[np.float64] | None]:
        """For each image its boxes (N, 4), or None to detect.

        Raises:
            ProblemError: they are for another number of images, or too many.
        """
        if self.boxes is None:
            return [None] * images
        if len(self.boxes) != images:
            detail = f"boxes has {len(self.boxes)} lists, but there are {images} images; send one list for each"
            raise ProblemError(INVALID_FIELD, detail, field="boxes", limit=images)
        if (most := max(len(item or ()) for item in self.boxes)) > MAX_PERSONS:
            detail = f"boxes has {most} boxes for one image; send at most {MAX_PERSONS}"
            raise ProblemError(INVALID_FIELD, detail, field="boxes", limit=MAX_PERSONS)
        return [None if item is None else _array(item) for item in self.boxes]


def _array(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], np.float64).reshape(-1, 4)


class Keypoint(BaseModel):
    """A point of the body in pixels of the upright picture, in which whole numbers are centres of pixels.

    It may lie outside the picture. The score is how sure the network is, 0 to 1; it is no probability.
    """

    name: str
    x: float
    y: float
    score: float


class Person(BaseModel):
    """One person, whose keypoints have the names and the order of a skeleton."""

    box: Box
    score: float = Field(description="The box's score times the mean of its confident keypoints', 0 to 1.")
    skeleton: str = Field(examples=["coco17", "mpii16", "lsp14"])
    keypoints: list[Keypoint]

    @classmethod
    def of(cls, pose: Pose, skeleton: Skeleton) -> "Person":
        """Map a pose; a hundredth of a pixel is enough."""
        x1, y1, x2, y2 = (round(float(value), 2) for value in pose.box)
        keypoints = [
            Keypoint(name=name, x=round(float(x), 2), y=round(float(y), 2), score=round(float(score), 4))
            for name, (x, y), score in zip(skeleton.keypoints, pose.points, pose.scores, strict=True)
        ]
        box = Box(x1=x1, y1=y1, x2=x2, y2=y2)
        return cls(box=box, score=round(pose.score, 4), skeleton=skeleton.name, keypoints=keypoints)


class PoseImage(ItemStatus):
    """One picture: its upright size and its persons, or its problem."""

    width: int | None = None
    height: int | None = None
    persons: list[Person] | None = None

    @classmethod
    def of(
        cls, index: int, item: PosedImage | ProblemError, skeleton: Skeleton, problem: dict[str, Any] | None
    ) -> "PoseImage":
        """Map an outcome; `problem` is its body where it is one."""
        if isinstance(item, ProblemError):
            return cls.model_validate({"index": index, "status": "error", "problem": problem})
        height, width = item.size
        persons = [Person.of(pose, skeleton) for pose in item.poses]
        return cls(index=index, status="ok", width=width, height=height, persons=persons)


class PoseTimingsMs(BaseModel):
    """Where the time went, in milliseconds; of several pictures, the slowest."""

    decode: float
    detect: float
    crop: float
    queue: float
    forward: float
    keypoints: float
    total: float

    @classmethod
    def of(cls, timings: PoseTimings) -> "PoseTimingsMs":
        """Round to a microsecond."""
        return cls(**{name: round(value, 3) for name, value in vars(timings).items()})


class PoseAnswer(BaseModel):
    """Answer of /pose."""

    model: str
    images: list[PoseImage]
    timings_ms: PoseTimingsMs
