"""`gaitkeeper evaluate detection`: how well persons are found."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail
from app.commands.table import say_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.detectors.base import Detections
    from training.detection_datasets import DetectionSet
    from training.detection_evaluation import DetectionScores

    Detect = Callable[[NDArray[np.uint8]], Detections]

BACKGROUND = "background"
FAINT = 0.05
"""Average precision looks at detections down to this score."""


def detection(
    data: Annotated[
        list[Path],
        typer.Option(help="Penn-Fudan, a MOTChallenge sequence, videos with NAME.gt.txt, or one video; repeatable."),
    ],
    detector: Annotated[
        str, typer.Option(help="hog, background (videos), exported, or a checkpoint of the manifest.")
    ] = "hog",
    descriptor: Annotated[Path | None, typer.Option(help="TOML file of an exported detector.")] = None,
    min_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Threshold of recall and precision.", show_default="the detector's own"),
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(min=10_000, help="The detector hog brings pictures to so many pixels at most.")
    ] = 1_000_000,
    every: Annotated[int, typer.Option(min=1, help="Score every so many frames of a video.")] = 1,
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the bundled one")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")] = False,
) -> None:
    """Print recall and precision at a score, and average precision; a box is right from an overlap (IoU) of 0.5.

    The time is that of the processor, all its cores together, for finding the persons of one picture.
    """
    from models.detectors.base import DetectorError
    from models.detectors.build import create_detector, default_min_score
    from training.detection_datasets import find_detection_sets

    try:
        sets = [found for root in data for found in find_detection_sets(root)]
        least = default_min_score(detector, descriptor) if min_score is None else min_score
        rows = {}
        for found in sets:
            if detector == BACKGROUND:
                detect = _background(found)
            else:
                detect = create_detector(detector, descriptor, min(least, FAINT), weights_dir, max_pixels).detect
            watch = _Stopwatch(detect)
            scores = asdict(_score(found, watch, least, every, in_order=detector == BACKGROUND))
            figures = {key.replace("_", " "): value for key, value in scores.items()}
            rows[f"{found.name}, {found.source}"] = figures | {"CPU ms a picture": watch.milliseconds}
    except (DetectorError, ValueError, OSError) as error:
        fail(str(error))
    used = detector if descriptor is None else f"{detector} {descriptor.stem}"
    frames = "all frames" if every == 1 else f"one frame in {every} of videos"
    say_table(f"{used}: recall and precision at a score of {least}, IoU 0.5, {frames}", rows, as_json)


class _Stopwatch:
    """A detector that notes what it costs."""

    def __init__(self, detect: "Detect") -> None:
        self._detect, self._seconds, self._pictures = detect, 0.0, 0

    @property
    def milliseconds(self) -> int:
        """Of the processor, for one picture."""
        return round(1000 * self._seconds / max(self._pictures, 1))

    def __call__(self, image: "NDArray[np.uint8]") -> "Detections":
        started = time.process_time()
        found = self._detect(image)
        self._seconds += time.process_time() - started
        self._pictures += 1
        return found


def _background(data: "DetectionSet") -> "Detect":
    from models.detectors.background import BackgroundDetector

    if not data.is_video:
        raise ValueError(f"{data.name} holds single photographs; the background detector needs a video")
    background = BackgroundDetector()
    return lambda frame: background.update(frame).detections


def _score(data: "DetectionSet", detect: "Detect", min_score: float, every: int, in_order: bool) -> "DetectionScores":
    """Score every so many frames of a video, or all photographs; a detector that learns in order sees every frame."""
    from training.detection_evaluation import score_detections

    step = every if data.is_video else 1
    found, truth = [], []
    for number, picture in enumerate(data.pictures()):
        scored = number % step == 0
        if scored or in_order:
            detections = detect(picture.image)
        if scored:
            found.append(detections)
            truth.append(picture.boxes)
    return score_detections(found, truth, min_score)
