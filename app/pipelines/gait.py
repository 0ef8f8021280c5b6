"""Silhouettes, gait energy images and videos to ages."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.engine.served import ServedNetwork
from app.engine.together import together
from app.errors import NO_SILHOUETTE, UNDECODABLE_VIDEO, UNKNOWN_MODEL, VIDEO_TOO_LONG, ProblemError
from app.gait_archives import read_walk
from app.gait_uploads import FIELD, Notice, WalkLimits, decode_gei
from app.pipelines.gait_notices import notices_of_age, notices_of_video, notices_of_walk
from app.sandbox.video import Frame, VideoError, VideoLimits, decode_video
from app.telemetry.stages import record
from models.gait.age import AgeEstimate
from models.gait.gei import Gei, NoSilhouetteError, gait_energy_image
from models.gait.silhouettes import Silhouettes
from models.gait.video import WatchedVideo, watch
from models.predictors.gait import AgeEstimator

VIDEO_FIELD = "video"

HOW_TO_GET_ONE = (
    "`gaitkeeper weights list` names those that can be had, `gaitkeeper weights import` or `train gait` makes"
    " one; a restart serves it"
)

T = TypeVar("T")


@dataclass(frozen=True)
class AgedWalk:
    """One walk after estimation.

    Attributes:
        age: what the network says.
        image: (h, w) float32, the gait energy image it was said of.
        gei: what the image was made of; None where it was sent as it is.
        notices: what the answer should not be trusted for.
    """

    age: AgeEstimate
    image: NDArray[np.float32]
    gei: Gei | None
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class AgedVideo:
    """The walks of a video, each with its age, and what is odd about the video."""

    video: WatchedVideo
    ages: tuple[AgedWalk, ...]
    notices: tuple[Notice, ...]


class GaitPipeline:
    """Everything that `/gait/age` does.

    Args:
        networks: by the names that requests choose them with; the first is the default.
        workers: threads that decode and align, and watch videos.
        limits: of silhouettes.
        video_limits: of videos.
    """

    def __init__(
        self,
        networks: Mapping[str, ServedNetwork[AgeEstimator]],
        workers: Executor,
        limits: WalkLimits,
        video_limits: VideoLimits,
    ) -> None:
        self.networks, self.limits = networks, limits
        self._workers, self._video_limits = workers, video_limits

    def network(self, name: str | None) -> ServedNetwork[AgeEstimator]:
        """The network of a name, or the default one.

        Raises:
            ProblemError: there is none.
        """
        if not self.networks:
            raise ProblemError(UNKNOWN_MODEL, f"no gait model is served here: {HOW_TO_GET_ONE}", field="model")
        if name is None:
            return next(iter(self.networks.values()))
        if name not in self.networks:
            detail = f"there is no gait model {name[:100]!r} here; served are {', '.join(self.networks)}"
            raise ProblemError(UNKNOWN_MODEL, detail, field="model")
        return self.networks[name]

    async def age_of_files(
        self, network: ServedNetwork[AgeEstimator], files: Sequence[bytes], names: Sequence[str]
    ) -> tuple[AgedWalk, Silhouettes]:
        """The age of one walk, from pictures or one archive, and its silhouettes.

        Raises:
            ProblemError: see `app.gait_archives.read_walk`; or no silhouette can be used.
            OverloadedError: too much is waiting.
        """
        network.batcher.admit(1)
        gei, silhouettes, notices = await self._in_worker(self._walk, files, names)
        walk = await self._age(network, gei.image, gei, (*notices, *notices_of_walk(gei)))
        return walk, silhouettes

    async def age_of_gei(self, network: ServedNetwork[AgeEstimator], file: bytes, is_named: bool = True) -> AgedWalk:
        """The age of one walk, from its gait energy image; a picture that nobody named one has to look like one.

        Raises:
            ProblemError: it is not one.
            OverloadedError: too much is waiting.
        """
        network.batcher.admit(1)
        image = await self._in_worker(decode_gei, file, self.limits.image, is_named)
        return await self._age(network, image, None, ())

    async def ages_of_video(self, network: ServedNetwork[AgeEstimator], file: bytes) -> AgedVideo:
        """The age of everybody who walks through a video.

        Raises:
            ProblemError: it is not a video, or exceeds a limit.
            OverloadedError: too much is waiting.
        """
        network.batcher.admit(1)
        video = await self._in_worker(self._watch, file)
        ages = await together(
            *(self._age(network, walk.gei.image, walk.gei, notices_of_walk(walk.gei)) for walk in video.walks)
        )
        return AgedVideo(video, tuple(ages), notices_of_video(video))

    async def _age(
        self,
        network: ServedNetwork[AgeEstimator],
        image: NDArray[np.float32],
        gei: Gei | None,
        notices: tuple[Notice, ...],
    ) -> AgedWalk:
        prepared = await self._in_worker(network.predictor.prepare, image)
        row, _ = await network.batcher.submit(prepared)
        age = network.predictor.finish(row)
        return AgedWalk(age, image, gei, (*notices_of_age(network.checkpoint, age), *notices))

    def _walk(self, files: Sequence[bytes], names: Sequence[str]) -> tuple[Gei, Silhouettes, tuple[Notice, ...]]:
        sent = read_walk(files, names, self.limits)
        try:
            return gait_energy_image(sent.silhouettes), sent.silhouettes, sent.notices
        except NoSilhouetteError as error:
            raise ProblemError(NO_SILHOUETTE, f"{FIELD}: {error}", field=FIELD) from None

    def _watch(self, file: bytes) -> WatchedVideo:
        try:
            with closing(decode_video(file, self._video_limits)) as frames:
                return watch(_within(frames, self._video_limits.cpu_seconds))
        except VideoError as error:
            kind = UNDECODABLE_VIDEO if error.limit is None else VIDEO_TOO_LONG
            raise ProblemError(kind, f"{VIDEO_FIELD}: {error}", field=VIDEO_FIELD, limit=error.limit) from None

    async def _in_worker(self, call: Callable[..., T], *arguments: object) -> T:
        started = time.perf_counter()
        result = await asyncio.get_running_loop().run_in_executor(self._workers, call, *arguments)
        record("prepare", started, time.perf_counter())
        return result


def _within(frames: Iterable[Frame], seconds: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Times and pixels of frames, until this thread has computed for so long; on a busy machine that takes longer."""
    until = time.thread_time() + seconds
    for frame in frames:
        if time.thread_time() > until:
            message = f"it takes longer than {seconds:g} seconds to look at; send a shorter one"
            raise VideoError(message, int(seconds))
        yield frame.seconds, frame.image
