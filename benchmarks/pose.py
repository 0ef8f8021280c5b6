"""Keypoints in a 1080p frame, as the service finds them: 1, 5 and 15 people, split into stages."""

import asyncio
import io
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.pipelines.pose import PosedImage, PoseOptions, PosePipeline, PoseTimings
from app.runtime import open_pose
from app.samples import HEIGHT, WIDTH, sample_crops
from app.settings import Settings

NETWORK = "hourglass-lspet-compact"
FRAME = (1080, 1920)
PEOPLE = (1, 5, 15)
ROUNDS = 11
STAGES = ("decode", "detect", "crop", "queue", "forward", "keypoints", "total")


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    settings = Settings(pose_models=(NETWORK,))
    yield f"{NETWORK}, JPEG of 1920x1080; medians of {ROUNDS} requests in turns, ms; detection by {settings.detector}"
    yield ""
    yield f"| mirrored too | people | {' | '.join(STAGES)} | people/s, boxes given |"
    yield "| --- " * (len(STAGES) + 3) + "|"
    yield from asyncio.run(_measure(settings))


async def _measure(settings: Settings) -> list[str]:
    frames = {people: _frame(people) for people in PEOPLE}
    cases = [(flip, people) for flip in (False, True) for people in PEOPLE]
    rounds: dict[tuple[bool, int], list[PoseTimings]] = {case: [] for case in cases}
    async with open_pose(settings) as pipeline:
        for _ in range(1 + ROUNDS):
            for flip, people in cases:
                rounds[flip, people].append(await _request(pipeline, *frames[people], flip))
    return [_row(flip, people, _middle(rounds[flip, people][1:])) for flip, people in cases]


async def _request(pipeline: PosePipeline, frame: bytes, boxes: NDArray[np.float64], flip: bool) -> PoseTimings:
    """Where the time goes with boxes given, so that as many are looked at as are there, and that of detection."""
    network, options = pipeline.network(None), PoseOptions(flip_test=flip)
    given = await pipeline.find(network, [frame], [boxes], options)
    assert isinstance(given.items[0], PosedImage)
    detected = await pipeline.find(network, [frame], [None], options)
    given.timings.detect = detected.timings.detect
    return given.timings


def _row(flip: bool, people: int, median: PoseTimings) -> str:
    stages = " | ".join(f"{getattr(median, name):.2f}" for name in STAGES)
    return f"| {'yes' if flip else 'no'} | {people} | {stages} | {1000 * people / median.total:.1f} |"


def _middle(timings: Sequence[PoseTimings]) -> PoseTimings:
    return PoseTimings(**{name: statistics.median(getattr(t, name) for t in timings) for name in vars(timings[0])})


def _frame(people: int) -> tuple[bytes, NDArray[np.float64]]:
    """A JPEG with drawn people in rows, and their boxes (N, 4)."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(60, 200, (27, 48, 3), np.uint8))
    frame = small.resize(FRAME[::-1], Image.Resampling.BICUBIC)
    boxes = []
    for index, crop in enumerate(sample_crops(people, 1)):
        left, top = 40 + 230 * (index % 8), 60 + 480 * (index // 8)
        frame.paste(Image.open(io.BytesIO(crop.jpeg)), (left, top))
        boxes.append((left, top, left + WIDTH, top + HEIGHT))
    file = io.BytesIO()
    frame.save(file, "JPEG", quality=90)
    return file.getvalue(), np.array(boxes, np.float64)
