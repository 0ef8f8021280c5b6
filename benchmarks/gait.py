"""Gait energy images from silhouettes: all frames at once against a loop that handles them one by one with OpenCV."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import models
from benchmarks.timing import compare
from models.gait.gei import gait_energy_image
from models.predictors.gait import AgeEstimator
from training.walker import render_walk

WALKS = 2
CLOSING = np.ones((19, 7), np.uint8)


def run() -> Iterator[str]:
    """Yield the lines of the report; both ways run in one thread."""
    cv2.setNumThreads(1)
    walks = [_placed(render_walk(1, number).silhouettes) for number in range(WALKS)]
    for scale in (1, 3):
        yield from _compared([walk.repeat(scale, axis=1).repeat(scale, axis=2) for walk in walks])
    for size in ((64, 44), (128, 88)):
        estimator = AgeEstimator(models.create("glcnn", input_size=size))  # type: ignore[arg-type]
        gei = estimator.prepare(np.zeros(size, np.float32))[None]
        with torch.inference_mode():
            seconds = compare(lambda e=estimator, g=gei: e.forward(g), lambda: None).a  # type: ignore[misc]
        yield f"GL-CNN {size[0]}x{size[1]}, one image  {1000 * seconds:8.1f} ms"


def _compared(walks: list[NDArray[np.bool_]]) -> Iterator[str]:
    frames, (height, width) = sum(len(walk) for walk in walks), walks[0].shape[1:]
    measured = compare(
        lambda: [one_by_one(walk) for walk in walks], lambda: [gait_energy_image(walk) for walk in walks], rounds=5
    )
    yield f"{len(walks)} rendered walks, {frames} frames of {width} x {height}"
    yield f"frame by frame with OpenCV  {frames / measured.a:8.0f} frames/s"
    yield f"all frames at once          {frames / measured.b:8.0f} frames/s, {measured.ratio:.1f} times as many"


def one_by_one(silhouettes: NDArray[np.bool_]) -> NDArray[np.float32]:
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


def _placed(silhouettes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The walker in pictures of a usual size, 352 x 240, going from left to right."""
    count, height, width = silhouettes.shape
    pictures = np.zeros((count, 240, 352), bool)
    lefts = np.linspace(1, max(352 - width - 1, 1), count).astype(int)
    top = max(0, 239 - height)
    for picture, frame, left in zip(pictures, silhouettes, lefts, strict=True):
        picture[top : top + height, left : left + width] = frame[: 240 - top, : 352 - left]
    return pictures
