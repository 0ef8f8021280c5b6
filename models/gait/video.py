"""A video of a fixed camera to the walks of the persons in it; frames are looked at one by one and forgotten."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detectors.background import BackgroundDetector
from models.gait.gei import Gei, NoSilhouetteError, gait_energy_image
from models.gait.silhouettes import Silhouettes
from models.gait.steadiness import SteadinessMeter
from models.gait.tracking import Track, Tracker

MAX_HEIGHT = 480
# Fewer do not hold a gait cycle at any usual frame rate.
MIN_SIGHTINGS = 20
# Who does not walk half their height is a curtain, a tree, or stands.
MIN_WAY = 0.5
STRIP = 12


class VideoError(ValueError):
    """A video cannot be read."""


class VideoLimitError(ValueError):
    """A video is too long, too large, or takes too long.

    Args:
        message: what is too much.
        limit: of it.
    """

    def __init__(self, message: str, limit: float) -> None:
        super().__init__(message)
        self.limit = limit


@dataclass(frozen=True)
class VideoLimits:
    """What a video may be.

    Attributes:
        max_frames: read at most.
        max_seconds: of work on it.
        max_pixels: of a frame.
        max_walks: answered at most.
    """

    max_frames: int = 9000
    max_seconds: float = 120
    max_pixels: int = 10_000_000
    max_walks: int = 100


@dataclass(frozen=True)
class WalkInVideo:
    """One person's walk.

    Attributes:
        number: of the track.
        frames: (N,) of the video, in which the person was found.
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the video.
        gei: of these frames.
        strip: (12, 176, 136) bool, silhouettes at even distances, for pictures.
    """

    number: int
    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]
    gei: Gei
    strip: Silhouettes


@dataclass(frozen=True)
class WatchedVideo:
    """What was seen in a video.

    Attributes:
        frames: read.
        size: (height, width).
        frames_per_second: as the file says; 0 if it does not.
        camera_moves: the whole picture moved.
        walks: in order of appearance.
    """

    frames: int
    size: tuple[int, int]
    frames_per_second: float
    camera_moves: bool
    walks: tuple[WalkInVideo, ...]


def watch(
    video: Path | BinaryIO, limits: VideoLimits, tell: Callable[[int], object] = lambda frame: None
) -> WatchedVideo:
    """Find the walks in a video.

    Args:
        video: a file, or a buffered stream of one.
        limits: see `VideoLimits`.
        tell: called with the number of each frame.

    Raises:
        VideoError: it cannot be read.
        VideoLimitError: a limit is passed.
    """
    capture = _open(video)
    try:
        frames_per_second = float(capture.get(cv2.CAP_PROP_FPS))
        background, steadiness, tracker = BackgroundDetector(), SteadinessMeter(), Tracker()
        walks: list[WalkInVideo] = []
        size, frame, scale = (0, 0), -1, 1.0
        for frame, image in enumerate(_frames(capture, limits)):
            size = (image.shape[0], image.shape[1])
            scale = min(1.0, MAX_HEIGHT / size[0])
            small = image if scale == 1 else np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
            steadiness.update(small)
            foreground = background.update(small)
            for track in tracker.update(frame, foreground.detections.boxes, foreground.mask):
                _keep(walks, track, scale, limits)
            tell(frame)
        for track in tracker.finish():
            _keep(walks, track, scale, limits)
    finally:
        capture.release()
    if frame < 0:
        raise VideoError("no frame of the video can be decoded")
    walks.sort(key=lambda walk: walk.number)
    return WatchedVideo(frame + 1, size, frames_per_second, steadiness.camera_moves, tuple(walks))


def _open(video: Path | BinaryIO) -> cv2.VideoCapture:
    try:
        if isinstance(video, Path):
            capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
        else:
            capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, [])  # type: ignore[call-overload]
    except cv2.error as error:
        raise VideoError("the video cannot be read") from error
    if not capture.isOpened():
        raise VideoError("this is not a video in a format that is read here, such as MP4, AVI, MKV or WebM")
    return capture


def _frames(capture: cv2.VideoCapture, limits: VideoLimits) -> Iterator[NDArray[np.uint8]]:
    announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if pixels > limits.max_pixels:
        raise VideoLimitError(f"frames have more than {limits.max_pixels} pixels", limits.max_pixels)
    too_many = f"the video has more than {limits.max_frames} frames; send a shorter one"
    if announced > limits.max_frames:
        raise VideoLimitError(too_many, limits.max_frames)
    until, count = time.monotonic() + limits.max_seconds, 0
    while True:
        there, image = capture.read()
        if not there:
            return
        count += 1
        if count > limits.max_frames:
            raise VideoLimitError(too_many, limits.max_frames)
        if time.monotonic() > until:
            message = f"the video takes longer than {limits.max_seconds:g} seconds to look at; send a shorter one"
            raise VideoLimitError(message, limits.max_seconds)
        yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _keep(walks: list[WalkInVideo], track: Track, scale: float, limits: VideoLimits) -> None:
    if len(track.frames) < MIN_SIGHTINGS or track.moved() < MIN_WAY or len(walks) >= limits.max_walks:
        return
    silhouettes = _in_time(track)
    try:
        gei = gait_energy_image(silhouettes)
    except NoSilhouetteError:
        return
    seen = silhouettes[gei.indices]
    strip = seen[np.linspace(0, len(seen) - 1, STRIP).round().astype(int)]
    boxes = np.stack(track.boxes) / scale
    walks.append(WalkInVideo(track.number, np.array(track.frames, np.int64), boxes, gei, strip))


def _in_time(track: Track) -> Silhouettes:
    """All frames of a track's time; those between sightings are empty, so that periods stay what they are."""
    times = np.array(track.frames) - track.frames[0]
    silhouettes = np.zeros((int(times[-1]) + 1, *track.silhouettes[0].shape), bool)
    silhouettes[times] = track.silhouettes
    return silhouettes
