"""Pictures and boxes to persons with keypoints in picture pixels."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.engine.batcher import OverloadedError
from app.engine.served import ServedNetwork
from app.engine.together import together
from app.errors import INVALID_BOX, UNKNOWN_MODEL, ProblemError
from app.images import ImageLimits, decode_picture
from app.pipelines.reid import milliseconds_since
from app.render import draw_poses, encode_png
from app.telemetry.stages import record
from models.detectors.base import Detections, PersonDetector
from models.predictors.pose import Pose, PoseEstimator

PIXELS_ENOUGH = 16_000_000
"""Pictures with more are looked at in half size or less: a person of use in them is still larger than any crop."""

MAX_PERSONS = 100
"""Persons in one picture at most, given or found."""

LEAST_DETECTED_SCORE = 0.15
"""Detected persons below are left out if a request says nothing: false finds often score lower, persons seldom do."""

HOW_TO_GET_ONE = (
    "`gaitkeeper weights list` names those that can be had, `gaitkeeper weights pull NAME` or `weights import` gets"
    " one; a restart serves it"
)

T = TypeVar("T")
Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class PoseOptions:
    """What a request may choose.

    Attributes:
        min_score: persons below are left out; None leaves out detected ones below `LEAST_DETECTED_SCORE`.
        flip_test: average with the mirrored crop; None does as the checkpoint's figures were measured.
        max_persons: found persons at most, the surest first; boxes that are given are all answered.
    """

    min_score: float | None = None
    flip_test: bool | None = None
    max_persons: int = 20


@dataclass
class PoseTimings:
    """Where a request's time went, in milliseconds; of several pictures, the slowest."""

    decode: float = 0.0
    detect: float = 0.0
    crop: float = 0.0
    queue: float = 0.0
    forward: float = 0.0
    keypoints: float = 0.0
    total: float = 0.0

    def slowest(self, other: "PoseTimings") -> None:
        """Keep the larger value of each stage."""
        for name, value in vars(other).items():
            setattr(self, name, max(getattr(self, name), value))


@dataclass(frozen=True)
class PosedImage:
    """The persons of one picture, whose size is (height, width), upright."""

    size: tuple[int, int]
    poses: list[Pose]


@dataclass(frozen=True)
class PosedImages:
    """The outcome for each picture of a request, in order: its persons, or why there are none."""

    items: list[PosedImage | ProblemError]
    timings: PoseTimings

    def require_one(self) -> None:
        """Check that some picture worked.

        Raises:
            ProblemError: none did; it is the first one's problem.
        """
        if all(isinstance(item, ProblemError) for item in self.items):
            raise next(item for item in self.items if isinstance(item, ProblemError))


@dataclass(frozen=True)
class _Seen:
    """A picture that was looked at: its size and scale, its persons, and their crops."""

    size: tuple[int, int]
    scale: NDArray[np.float64]
    persons: Detections
    crops: list[Tensor]
    timings: PoseTimings


class PosePipeline:
    """Everything that `/pose` does.

    Args:
        networks: by the names that requests choose them with; the first is the default.
        detector: finds persons where no boxes are given.
        workers: threads that decode, detect, crop and draw; as many pictures are in memory, decoded, at most.
        limits: of pictures.
        max_waiting: pictures that may wait.
        in_progress: pictures whose crops may be in memory.
    """

    def __init__(
        self,
        networks: Mapping[str, ServedNetwork[PoseEstimator]],
        detector: PersonDetector,
        workers: Executor,
        limits: ImageLimits,
        max_waiting: int,
        in_progress: int,
    ) -> None:
        self.networks = networks
        self._detector, self._workers, self._limits = detector, workers, limits
        self._max_waiting, self._waiting = max_waiting, 0
        self._in_progress = asyncio.Semaphore(in_progress)

    def network(self, name: str | None) -> ServedNetwork[PoseEstimator]:
        """The network of a name, or the default one.

        Raises:
            ProblemError: there is none.
        """
        if not self.networks:
            raise ProblemError(UNKNOWN_MODEL, f"no pose model is served here: {HOW_TO_GET_ONE}", field="model")
        if name is None:
            return next(iter(self.networks.values()))
        if name not in self.networks:
            detail = f"there is no pose model {name[:100]!r} here; served are {', '.join(self.networks)}"
            raise ProblemError(UNKNOWN_MODEL, detail, field="model")
        return self.networks[name]

    async def find(
        self,
        network: ServedNetwork[PoseEstimator],
        files: Sequence[bytes],
        boxes: Sequence[Boxes | None],
        options: PoseOptions,
    ) -> PosedImages:
        """Find the persons of encoded pictures, and their keypoints.

        Args:
            network: one of `networks`.
            files: encoded pictures.
            boxes: for each picture, (N, 4) x1, y1, x2, y2 in its upright pixels, or None to detect.
            options: see `PoseOptions`.

        Raises:
            OverloadedError: too much is waiting.
        """
        if self._waiting + len(files) > self._max_waiting:
            raise OverloadedError(self._max_waiting)
        network.batcher.admit(len(files))
        started, timings = time.perf_counter(), PoseTimings()
        self._waiting += len(files)
        try:
            items = await together(
                *(
                    self._find_one(network, file, given, options, timings)
                    for file, given in zip(files, boxes, strict=True)
                )
            )
        finally:
            self._waiting -= len(files)
        timings.total = milliseconds_since(started)
        return PosedImages(items, timings)

    async def _find_one(
        self,
        network: ServedNetwork[PoseEstimator],
        file: bytes,
        boxes: Boxes | None,
        options: PoseOptions,
        timings: PoseTimings,
    ) -> PosedImage | ProblemError:
        flip = network.checkpoint.preprocessing.flip if options.flip_test is None else options.flip_test
        async with self._in_progress:
            started = time.perf_counter()
            try:
                seen = await self._in_worker(self._look, network.predictor, file, boxes, options.max_persons, flip)
            except ProblemError as problem:
                return problem
            record("prepare", started, time.perf_counter())
            rows = await _run(network, seen)
            poses = await self._in_worker(_finish, network.predictor, seen, rows, flip, boxes is None)
        timings.slowest(seen.timings)
        least = options.min_score
        if least is None:
            least = LEAST_DETECTED_SCORE if boxes is None else 0.0
        return PosedImage(seen.size, [pose for pose in poses if pose.score >= least])

    def _look(self, estimator: PoseEstimator, file: bytes, boxes: Boxes | None, max_persons: int, flip: bool) -> _Seen:
        """Decode, detect and crop in one go, so that a decoded picture never waits."""
        timings, started = PoseTimings(), time.perf_counter()
        picture = decode_picture(file, self._limits, pixels_enough=PIXELS_ENOUGH)
        timings.decode = milliseconds_since(started)
        started = time.perf_counter()
        if boxes is None:
            found = self._detector.detect(picture.image)
            persons = Detections(found.boxes[:max_persons], found.scores[:max_persons])
            timings.detect = milliseconds_since(started)
        else:
            persons = _given(boxes, picture.size, picture.scale)
        started = time.perf_counter()
        crops = [estimator.prepare(picture.image, box) for box in persons.boxes]
        crops += [estimator.mirror(crop) for crop in crops] if flip else []
        timings.crop = milliseconds_since(started)
        return _Seen(picture.size, picture.scale, persons, crops, timings)

    async def draw(self, file: bytes, found: PosedImage, network: ServedNetwork[PoseEstimator]) -> bytes:
        """A picture with its persons' skeletons, as PNG."""
        return await self._in_worker(self._draw, file, found, network.predictor)

    def _draw(self, file: bytes, found: PosedImage, estimator: PoseEstimator) -> bytes:
        # Decoded again: keeping the picture from the first time would hold as many as there are requests.
        picture = decode_picture(file, self._limits, pixels_enough=PIXELS_ENOUGH)
        poses = [_moved(pose, picture.scale) for pose in found.poses]
        return encode_png(draw_poses(picture.image, poses, estimator.skeleton))

    async def _in_worker(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, call, *arguments)


async def _run(network: ServedNetwork[PoseEstimator], seen: _Seen) -> list[Tensor]:
    """The heatmaps of all crops of one picture. They arrive together, so they run as one batch, or as few."""
    started = time.perf_counter()
    results = await together(*(network.batcher.submit(crop) for crop in seen.crops))
    if results:
        seen.timings.queue = 1000 * min(timing.queue_seconds for _, timing in results)
        seen.timings.forward = milliseconds_since(started) - seen.timings.queue
    return [row for row, _ in results]


def _finish(estimator: PoseEstimator, seen: _Seen, rows: list[Tensor], flip: bool, detected: bool) -> list[Pose]:
    started = time.perf_counter()
    if not rows:
        return []
    heatmaps = torch.stack(rows)
    persons = len(seen.persons)
    mirrored = heatmaps[persons:] if flip else None
    poses = estimator.finish(heatmaps[:persons], seen.persons.boxes, seen.persons.scores, mirrored)
    # Who gives boxes wants an answer for each, also for two that are alike.
    poses = estimator.without_repeats(poses) if detected else poses
    poses = [_moved(pose, 1 / seen.scale) for pose in poses]
    seen.timings.keypoints = milliseconds_since(started)
    return poses


def _moved(pose: Pose, scale: NDArray[np.float64]) -> Pose:
    """A pose in a picture `scale` times as large; centres of pixels lie half a pixel inside."""
    return replace(pose, box=pose.box * np.tile(scale, 2), points=(pose.points + 0.5) * scale - 0.5)


def _given(boxes: Boxes, size: tuple[int, int], scale: NDArray[np.float64]) -> Detections:
    """Boxes that a client gave, cut to the picture and in the pixels of its scaled copy.

    Raises:
        ProblemError: one is empty or lies outside the picture.
    """
    height, width = size
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        if x2 <= x1 or y2 <= y1:
            detail = f"boxes[{index}] is empty: x2 must be larger than x1, and y2 than y1"
            raise ProblemError(INVALID_BOX, detail, field="boxes")
        if min(x2, width) <= max(x1, 0) or min(y2, height) <= max(y1, 0):
            detail = f"boxes[{index}] lies outside the picture, which is {width} wide and {height} high once upright"
            raise ProblemError(INVALID_BOX, detail, field="boxes")
    inside = boxes.reshape(-1, 4).clip(0, np.array([width, height, width, height], np.float64))
    return Detections((inside * np.tile(scale, 2)).astype(np.float32), np.ones(len(boxes), np.float32))
