"""Keypoints in a 1080p frame, as the service finds them: 1, 5 and 15 people, split into stages."""

import asyncio
import io
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import models
from app.pipelines.pose import PosedImage, PoseOptions, PosePipeline, PoseTimings
from app.runtime import open_pose
from app.samples import HEIGHT, WIDTH, sample_crops
from app.settings import Settings
from models.importing import Converted, new_checkpoint, store

NETWORK, ARGUMENTS = "hourglass_bearpaw", {"num_stacks": 2, "num_blocks": 1, "num_keypoints": 14, "channels": 128}
SIZE = (128, 128)
FRAME = (1080, 1920)
PEOPLE = (1, 5, 15)
ROUNDS = 11
STAGES = ("decode", "crop", "queue", "forward", "keypoints", "total")


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        _write_weights(Path(folder))
        yield f"{NETWORK} {ARGUMENTS}, {SIZE[0]}x{SIZE[1]}, fresh weights; medians of {ROUNDS} requests, ms"
        yield from asyncio.run(_measure(Settings(weights_dir=Path(folder))))


async def _measure(settings: Settings) -> list[str]:
    async with open_pose(settings) as pipeline:
        lines = [f"{'flip':6}{'people':>6}" + "".join(f"{name:>11}" for name in STAGES) + f"{'people/s':>11}"]
        for flip in (False, True):
            for people in PEOPLE:
                frame, boxes = _frame(people)
                median = await _median(pipeline, frame, boxes, flip)
                stages = "".join(f"{getattr(median, name):11.2f}" for name in STAGES)
                rate = 1000 * people / median.total
                lines.append(f"{'with' if flip else 'without':8}{people:4}{stages}{rate:11.1f}")
        frame, boxes = _frame(max(PEOPLE))
        alone = await _median(pipeline, frame, None, flip=False)
        lines.append(f"without boxes, detection by {settings.detector} adds {alone.detect:.0f} ms a frame")
        return lines


async def _median(pipeline: PosePipeline, frame: bytes, boxes: NDArray[np.float64] | None, flip: bool) -> PoseTimings:
    network, options = pipeline.network(None), PoseOptions(flip_test=flip)
    timings: list[PoseTimings] = []
    for _ in range(1 + ROUNDS):
        found = await pipeline.find(network, [frame], [boxes], options)
        assert isinstance(found.items[0], PosedImage)
        timings.append(found.timings)
    return _middle(timings[1:])


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


def _write_weights(folder: Path) -> None:
    torch.manual_seed(0)
    state = models.create(NETWORK, **ARGUMENTS).state_dict()
    converted = Converted("fresh.pth", "", NETWORK, dict(ARGUMENTS), dict(state), ())
    store(converted, new_checkpoint(converted, "fresh", size=SIZE), folder)
