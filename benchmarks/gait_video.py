"""Videos of a fixed camera to walks and ages: how much faster than they play, and how much memory that takes."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from app.sandbox.video import VideoLimits, decode_video
from models.checkpoint import bundled_weights_dir, load_network, read_manifest
from models.gait.video import WatchedVideo, watch
from models.predictors.gait import AgeEstimator, age_estimator

VARIABLE = "GAITKEEPER_BENCH_VIDEOS"
FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "video"
NAMES = ("one-by-one-person-detection.mp4", "vtest.avi")
CHECKPOINT = "glcnn-walker"


def videos() -> list[Path]:
    """Those that the environment names, or those of the reference data that are here."""
    named = os.environ.get(VARIABLE)
    return [Path(name) for name in named.split(os.pathsep)] if named else [FOLDER / name for name in NAMES]


def on_videos() -> Iterator[str]:
    """Yield the lines of the report; a video that is not here is told."""
    here = [path for path in videos() if path.is_file()]
    for path in set(videos()) - set(here):
        yield f"{path.name} is not here, so it was not measured; {VARIABLE} names other videos"
    if not here:
        return
    yield f"Videos with {CHECKPOINT}, from the file's bytes to ages; decoding is a process of its own"
    yield ""
    yield "| video | frames | walks | seconds it plays | seconds it took | times real time | peak memory, MB more |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    checkpoint = read_manifest(bundled_weights_dir())[CHECKPOINT]
    estimator = age_estimator(checkpoint, load_network(checkpoint, bundled_weights_dir()))
    for path in here:
        yield _watched(path, estimator)


def _watched(path: Path, estimator: AgeEstimator) -> str:
    data = path.read_bytes()
    before, started = _reset_peak_memory(), time.perf_counter()
    with closing(decode_video(data, VideoLimits())) as frames:
        video = watch((frame.seconds, frame.image) for frame in frames)
    _tell_ages(video, estimator)
    took = time.perf_counter() - started
    plays = video.frames / video.frames_per_second if video.frames_per_second else float("nan")
    memory = (_memory("VmHWM") - before) / 1e6
    times = f"{plays:.1f} | {took:.1f} | {plays / took:.1f}"
    return f"| {path.name} | {video.frames} | {len(video.walks)} | {times} | {memory:.0f} |"


def _tell_ages(video: WatchedVideo, estimator: AgeEstimator) -> None:
    with torch.inference_mode():
        for walk in video.walks:
            estimator.finish(estimator.forward(estimator.prepare(walk.gei.image)[None])[0])


def _reset_peak_memory() -> int:
    """Let Linux forget this process's highest memory use; what it uses now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
