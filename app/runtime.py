"""Builds networks, batchers and galleries once; closes them in reverse order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from app.access.doorway import Doorway, open_doorway
from app.engine.preparing import FairExecutor
from app.engine.runner import choose_device
from app.engine.served import LARGEST, Capacity, Machine, ServedNetwork, serving
from app.gait_uploads import WalkLimits
from app.gallery.gallery import GalleryStore
from app.gallery.sizing import IndexOptions
from app.gallery.sweeper import sweeping
from app.images import ImageLimits
from app.operating import Operations, operate
from app.pipelines.gait import GaitPipeline
from app.pipelines.pose import MAX_PERSONS, PosePipeline
from app.pipelines.reid import ReidPipeline
from app.sandbox.video import VideoLimits
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.uploads import UploadLimits
from models.checkpoint import (
    Checkpoint,
    CheckpointError,
    bundled_weights_dir,
    load_network,
    read_manifest,
)
from models.detectors.base import PersonDetector
from models.detectors.build import create_detector
from models.golden import COSINE, LOW_PRECISION_COSINE, golden_path, in_int8, read_golden
from models.predictors.gait import AgeEstimator, age_estimator
from models.predictors.pose import PoseEstimator, pose_estimator
from models.predictors.reid import PersonEmbedder
from models.runtimes.cache import FileCache
from models.runtimes.cores import use_one_core
from models.runtimes.int8_files import read_int8_golden, what_writes_int8
from models.runtimes.selection import RuntimeOptions, accelerate

DEFAULT_GALLERY = "default"
GOLDEN_COSINE = COSINE

P = TypeVar("P", PersonEmbedder, PoseEstimator, AgeEstimator)

log = logging.getLogger("gaitkeeper")


@dataclass(frozen=True)
class Runtime:
    """What requests need, built once."""

    settings: Settings
    networks: Sequence[ServedNetwork[Any]]
    reid: ReidPipeline
    pose: PosePipeline
    gait: GaitPipeline
    upload_limits: UploadLimits
    device: str
    operations: Operations
    doorway: Doorway


@asynccontextmanager
async def open_runtime(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Runtime]:
    """Load the networks, open the galleries, and close all of it when the block ends.

    Raises:
        CheckpointError: a setting names an unknown checkpoint, or a file is not what the manifest says.
        DetectorError: a setting asks for a detector that is not there.
        ValueError: a setting asks for a device that is not there.
    """
    started, metrics = time.perf_counter(), metrics or Metrics()
    machine = _machine(settings, metrics)
    async with AsyncExitStack() as stack:
        doorway = stack.enter_context(open_doorway(settings))
        store = await asyncio.to_thread(
            GalleryStore.open,
            settings.data_dir,
            url=settings.database_url,
            index_options=IndexOptions(settings.index_exact_below, settings.index_codes, settings.index_recall),
        )
        stack.callback(store.close)
        stack.enter_context(sweeping(store.sweep))
        embedder = await stack.enter_async_context(_serve_reid(settings, machine))
        reid = _reid_pipeline(settings, embedder, store, stack)
        await _ensure_default_gallery(reid)
        pose = await stack.enter_async_context(open_pose(settings, machine))
        gait = await stack.enter_async_context(open_gait(settings, machine))
        networks: list[ServedNetwork[Any]] = [embedder, *pose.networks.values(), *gait.networks.values()]
        names = ", ".join(network.checkpoint.name for network in networks)
        device = str(choose_device(settings.device))
        log.info("ready in %.1f s: %s on %s", time.perf_counter() - started, names, device)
        for checkpoint in (network.checkpoint for network in networks):
            if not checkpoint.commercial_use:
                log.warning("%s: licence %s; not for commercial use", checkpoint.name, checkpoint.licence)
        if settings.precision != "fp32":
            log.warning(
                "%s computes in %s: embeddings of other precisions are close, but not the same; enrol and query a"
                " gallery with one",
                embedder.checkpoint.name,
                settings.precision,
            )
        upload_limits = UploadLimits(settings.max_body_bytes, settings.max_images)
        operations = await stack.enter_async_context(operate(settings, networks, store, metrics))
        yield Runtime(settings, networks, reid, pose, gait, upload_limits, device, operations, doorway)


@asynccontextmanager
async def open_pose(settings: Settings, machine: Machine | None = None) -> AsyncIterator[PosePipeline]:
    """Load the pose networks and the detector, without any gallery; there may be no network.

    Raises:
        CheckpointError, DetectorError, ValueError: as `open_runtime`.
    """
    async with AsyncExitStack() as stack:
        # While the crops of some pictures fill a batch, the workers look at the next ones.
        in_progress = (settings.max_batch or LARGEST[choose_device(settings.device).type]) + settings.prepare_workers
        networks = {}
        for checkpoint in _checkpoints(settings, "pose", settings.pose_models):
            # The pipeline bounds what waits, in pictures; with mirrored crops this is as much as they can hold.
            waiting = 2 * MAX_PERSONS * in_progress + 1
            capacity = _capacity(settings, waiting, machine)
            networks[checkpoint.name] = await stack.enter_async_context(_serve_pose(settings, checkpoint, capacity))
        workers = FairExecutor(settings.prepare_workers, "pose", use_one_core)
        stack.callback(workers.shutdown)
        detector = await asyncio.to_thread(_detector, settings)
        yield PosePipeline(networks, detector, workers, _image_limits(settings), settings.max_waiting, in_progress)


@asynccontextmanager
async def open_gait(settings: Settings, machine: Machine | None = None) -> AsyncIterator[GaitPipeline]:
    """Load the gait networks, without any gallery; there may be none.

    Raises:
        CheckpointError, ValueError: as `open_runtime`.
    """
    async with AsyncExitStack() as stack:
        networks = {}
        for checkpoint in _checkpoints(settings, "gait", settings.gait_models):
            capacity = _capacity(settings, settings.max_waiting, machine)
            networks[checkpoint.name] = await stack.enter_async_context(_serve_gait(settings, checkpoint, capacity))
        workers = FairExecutor(settings.prepare_workers, "gait", use_one_core)
        stack.callback(workers.shutdown)
        yield GaitPipeline(networks, workers, _walk_limits(settings), _video_limits(settings))


@asynccontextmanager
async def _serve_gait(
    settings: Settings, checkpoint: Checkpoint, capacity: Capacity
) -> AsyncIterator[ServedNetwork[AgeEstimator]]:
    folder = _weights_dir(settings)
    estimator = age_estimator(checkpoint, await asyncio.to_thread(load_network, checkpoint, folder))
    async with _serve(settings, checkpoint, estimator, capacity) as network:
        yield network


@asynccontextmanager
async def _serve_reid(settings: Settings, machine: Machine) -> AsyncIterator[ServedNetwork[PersonEmbedder]]:
    checkpoint = _find(_weights_dir(settings), settings.reid_model, "reid")
    embedder, _ = await asyncio.to_thread(load_embedder, checkpoint, _weights_dir(settings))
    capacity = _capacity(settings, settings.max_waiting, machine)
    async with _serve(settings, checkpoint, embedder, capacity) as network:
        yield network


@asynccontextmanager
async def _serve_pose(
    settings: Settings, checkpoint: Checkpoint, capacity: Capacity
) -> AsyncIterator[ServedNetwork[PoseEstimator]]:
    folder = _weights_dir(settings)
    estimator = pose_estimator(checkpoint, await asyncio.to_thread(load_network, checkpoint, folder))
    async with _serve(settings, checkpoint, estimator, capacity) as network:
        yield network


@asynccontextmanager
async def _serve(
    settings: Settings, checkpoint: Checkpoint, predictor: P, capacity: Capacity
) -> AsyncIterator[ServedNetwork[P]]:
    """Hand a predictor's network to the runtime that the settings choose, and run it."""
    folder, rounded = _weights_dir(settings), settings.precision == "int8"
    predictor.network = await asyncio.to_thread(_accelerate, predictor.network, checkpoint, settings)
    golden = (read_int8_golden if rounded else read_golden)(checkpoint, folder)
    remedy = f" ({golden_path(in_int8(checkpoint), folder)}); {what_writes_int8(checkpoint)} anew" if rounded else ""
    async with serving(checkpoint, predictor, golden, capacity, remedy) as network:
        yield network


def load_embedder(checkpoint: Checkpoint, weights_dir: Path) -> tuple[PersonEmbedder, NDArray[np.float32]]:
    """Load a re-identification checkpoint, with the embedding of its golden picture (D,)."""
    network = load_network(checkpoint, weights_dir)
    preprocessing = checkpoint.preprocessing
    embedder = PersonEmbedder(network, preprocessing.size, preprocessing.normalisation, preprocessing.flip)
    return embedder, read_golden(checkpoint, weights_dir)


def _reid_pipeline(
    settings: Settings, network: ServedNetwork[PersonEmbedder], store: GalleryStore, stack: AsyncExitStack
) -> ReidPipeline:
    preparing = FairExecutor(settings.prepare_workers, "prepare", use_one_core)
    waiting_on_disk = ThreadPoolExecutor(8, "gallery")
    stack.callback(preparing.shutdown)
    stack.callback(waiting_on_disk.shutdown)
    return ReidPipeline(
        network.checkpoint,
        network.golden.size,
        network.predictor,
        network.batcher,
        store,
        preparing,
        waiting_on_disk,
        _image_limits(settings),
    )


def _accelerate(network: nn.Module, checkpoint: Checkpoint, settings: Settings) -> nn.Module:
    device = choose_device(settings.device)
    options = RuntimeOptions(device, settings.runtime, settings.precision, settings.threads, _weights_dir(settings))
    return accelerate(network, checkpoint, options, FileCache(settings.data_dir / "cache"))


def _capacity(settings: Settings, max_waiting: int, machine: Machine | None) -> Capacity:
    device = choose_device(settings.device)
    cosine = COSINE if settings.precision == "fp32" else LOW_PRECISION_COSINE
    return Capacity(device, settings.threads, settings.max_batch, max_waiting, machine or Machine(), cosine)


def _machine(settings: Settings, metrics: Metrics) -> Machine:
    return Machine(
        settings.max_wait_seconds, settings.max_waiting_bytes, settings.hang_seconds, observer=metrics.of_network
    )


def _detector(settings: Settings) -> PersonDetector:
    return create_detector(
        settings.detector,
        settings.detector_descriptor,
        settings.detector_min_score,
        _weights_dir(settings),
        settings.detector_max_pixels,
    )


def _image_limits(settings: Settings) -> ImageLimits:
    return ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.min_image_side)


def _walk_limits(settings: Settings) -> WalkLimits:
    return WalkLimits(
        _image_limits(settings), settings.gait_max_frames, settings.gait_max_pixels, settings.gait_max_unpacked_bytes
    )


def _video_limits(settings: Settings) -> VideoLimits:
    return VideoLimits(cpu_seconds=settings.video_max_seconds, max_frames=settings.video_max_frames)


def _weights_dir(settings: Settings) -> Path:
    return settings.weights_dir or bundled_weights_dir()


def _checkpoints(settings: Settings, task: str, names: Sequence[str] | None) -> list[Checkpoint]:
    folder = _weights_dir(settings)
    if names is not None:
        return [_find(folder, name, task) for name in names]
    available = (checkpoint for checkpoint in _of_task(folder, task).values() if checkpoint.is_available(folder))
    # What was trained here comes first, so that a pulled network does not change the default.
    return sorted(available, key=lambda checkpoint: checkpoint.is_official)


def _of_task(weights_dir: Path, task: str) -> Mapping[str, Checkpoint]:
    return {name: entry for name, entry in read_manifest(weights_dir).items() if entry.task == task}


def _find(weights_dir: Path, name: str, task: str) -> Checkpoint:
    candidates = _of_task(weights_dir, task)
    if name in candidates:
        return candidates[name]
    here = ", ".join(sorted(c.name for c in candidates.values() if c.is_available(weights_dir)))
    raise CheckpointError(f"there is no {task} checkpoint {name!r}; {weights_dir} has {here or 'none'}")


async def _ensure_default_gallery(reid: ReidPipeline) -> None:
    galleries = await reid.in_store(reid.store.list)
    if all(gallery.name != DEFAULT_GALLERY for gallery in galleries):
        await reid.in_store(reid.store.create, DEFAULT_GALLERY, reid.checkpoint.sha256, reid.embedding_dim)
