"""Gait: silhouettes to gait energy images against a plain loop, the network, whole videos, and rendered walkers."""

import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import models
from benchmarks.gait_video import on_videos
from benchmarks.timing import compare
from models.gait.gei import gait_energy_image
from models.predictors.gait import AgeEstimator
from training.gait_sets import render_geis
from training.walker import render_walk

WALKS, WALKERS = 8, 60
# Bodies become about as high as those of CASIA-A, whose pictures are of the same size.
CANVAS = (160, 120)
CLOSING = np.ones((19, 7), np.uint8)

Silhouettes = NDArray[np.bool_]


def run() -> Iterator[str]:
    """Yield the lines of the report; all but a video's decoder runs in one thread."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    yield "Silhouettes to a gait energy image, rendered walks, CPU time of one thread"
    yield ""
    yield "| silhouettes | frames | frame by frame with OpenCV, frames/s | here, frames/s | ratio | mean difference |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for label, noisy, scale in (("clean", False, 1), ("with faults", True, 1), ("with faults", True, 3)):
        walks = [
            _placed(render_walk(1, number, noisy=noisy, size=CANVAS).silhouettes, scale) for number in range(WALKS)
        ]
        yield _compared(label, walks)
    yield ""
    yield "| network, one gait energy image | ms of one thread |"
    yield "| --- | --- |"
    for size in ((64, 44), (128, 88)):
        yield f"| GL-CNN {size[0]}x{size[1]}, with the mirrored image | {1000 * _network_seconds(size):.1f} |"
    yield ""
    yield from on_videos()
    yield ""
    yield from _rendering()
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])


def _compared(label: str, walks: Sequence[Silhouettes]) -> str:
    """A row of the table; the difference is that of the images both ways make, which are in 0..1."""
    frames, (height, width) = sum(len(walk) for walk in walks), walks[0].shape[1:]
    measured = compare(
        lambda: [one_by_one(walk) for walk in walks],
        lambda: [gait_energy_image(walk) for walk in walks],
        rounds=5,
        clock=time.thread_time,
    )
    apart = np.mean([np.abs(one_by_one(walk) - gait_energy_image(walk).image).mean() for walk in walks])
    speeds = f"{frames / measured.a:.0f} | {frames / measured.b:.0f} | {measured.ratio:.1f}"
    return f"| {label}, {width} x {height} | {frames} | {speeds} | {apart:.3f} |"


def _rendering() -> Iterator[str]:
    """What a core makes of the walkers that networks are trained on: 1.6 to 3.2 strides, 25 frames a second."""
    numbers = range(WALKERS)
    frames = np.mean([len(render_walk(1, number, noisy=False).silhouettes) for number in numbers])
    height, width = render_walk(1).silhouettes.shape[1:]
    yield f"| rendered walks, {height} x {width}, {frames:.0f} frames on average | walks/s of one thread |"
    yield "| --- | --- |"
    ways: dict[str, Callable[[], object]] = {
        "with the faults of background subtraction": lambda: [render_walk(1, number) for number in numbers],
        "without": lambda: [render_walk(1, number, noisy=False) for number in numbers],
        "with them, to a gait energy image of 64x44, as training does": lambda: render_geis(1, numbers, (64, 44)),
    }
    for label, way in ways.items():
        seconds = compare(way, lambda: None, clock=time.thread_time).a
        yield f"| {label} | {WALKERS / seconds:.0f} |"


def _network_seconds(size: tuple[int, int]) -> float:
    network = models.create("glcnn", input_size=size).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    estimator = AgeEstimator(network, flip=True)
    gei = estimator.prepare(np.zeros(size, np.float32))[None]
    with torch.inference_mode():
        return compare(lambda: estimator.forward(gei), lambda: None, clock=time.thread_time).a


def one_by_one(silhouettes: Silhouettes) -> NDArray[np.float32]:
    """The usual loop: close, keep the largest part, fill, crop, scale to 128, centre the upper half; then the mean."""
    aligned = [_align(frame.astype(np.uint8)) for frame in silhouettes]
    return np.asarray(np.mean([frame for frame in aligned if frame is not None], axis=0), np.float32)


def _align(frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    closed = cv2.morphologyEx(frame, cv2.MORPH_CLOSE, CLOSING)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, width, height, _ = stats[largest]
    if x == 0 or x + width == frame.shape[1]:
        return None
    body = (labels[y : y + height, x : x + width] == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(body, outlines, -1, 1, cv2.FILLED)
    scaled = cv2.resize(body, (max(1, round(width * 128 / height)), 128), interpolation=cv2.INTER_AREA)
    middle = int(np.median(np.nonzero(scaled[:64])[1]))
    canvas = np.zeros((128, 88 + 2 * scaled.shape[1]), np.float32)
    left = scaled.shape[1] + 44 - middle
    canvas[:, left : left + scaled.shape[1]] = scaled
    return canvas[:, scaled.shape[1] : scaled.shape[1] + 88]


def _placed(silhouettes: Silhouettes, scale: int) -> Silhouettes:
    """The walker in pictures of a usual size, 352 x 240 or a multiple, going from left to right."""
    count, height, width = silhouettes.shape
    pictures = np.zeros((count, 240, 352), bool)
    lefts = np.linspace(1, max(352 - width - 1, 1), count).astype(int)
    top = max(0, 239 - height)
    for picture, frame, left in zip(pictures, silhouettes, lefts, strict=True):
        picture[top : top + height, left : left + width] = frame[: 240 - top, : 352 - left]
    return pictures.repeat(scale, axis=1).repeat(scale, axis=2)
