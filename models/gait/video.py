"""A video of a fixed camera to the walks of the persons in it; frames are looked at one by one and forgotten."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
MAX_WALKS = 100

Image = NDArray[np.uint8]


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
        frames_per_second: by the frames' times; 0 where they do not tell.
        camera_moves: the whole picture moved.
        walks: in order of appearance.
    """

    frames: int
    size: tuple[int, int]
    frames_per_second: float
    camera_moves: bool
    walks: tuple[WalkInVideo, ...]


def watch(frames: Iterable[tuple[float, Image]], tell: Callable[[int], object] = lambda frame: None) -> WatchedVideo:
    """Find the walks in a video.

    Args:
        frames: time in seconds and RGB pixels (H, W, 3) uint8 of each frame, in order.
        tell: called with the number of each frame.

    Raises:
        ValueError: there are no frames.
    """
    background, steadiness, tracker = BackgroundDetector(), SteadinessMeter(), Tracker()
    walks: list[WalkInVideo] = []
    size, scale, times = (0, 0), 1.0, []
    for frame, (seconds, image) in enumerate(frames):
        size = (image.shape[0], image.shape[1])
        scale = min(1.0, MAX_HEIGHT / size[0])
        small = image if scale == 1 else np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
        steadiness.update(small)
        foreground = background.update(small)
        for track in tracker.update(frame, foreground.detections.boxes, foreground.mask):
            _keep(walks, track, scale)
        times.append(seconds)
        tell(frame)
    if not times:
        raise ValueError("the video has no frames")
    for track in tracker.finish():
        _keep(walks, track, scale)
    walks.sort(key=lambda walk: walk.number)
    duration = times[-1] - times[0]
    rate = (len(times) - 1) / duration if duration > 0 else 0.0
    return WatchedVideo(len(times), size, rate, steadiness.camera_moves, tuple(walks))


def _keep(walks: list[WalkInVideo], track: Track, scale: float) -> None:
    if len(track.frames) < MIN_SIGHTINGS or track.moved() < MIN_WAY or len(walks) >= MAX_WALKS:
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
