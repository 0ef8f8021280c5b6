"""Builds networks, batchers and galleries once; closes them in reverse order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from app.engine.batcher import Batcher
from app.engine.runner import Runner, choose_device
from app.gallery.gallery import GalleryStore
from app.images import ImageLimits
from app.pipelines.reid import ReidPipeline
from app.settings import Settings
from app.uploads import UploadLimits
from models.checkpoint import (
    Checkpoint,
    CheckpointError,
    bundled_weights_dir,
    load_network,
    read_manifest,
)
from models.golden import golden_image, golden_path
from models.predictors.reid import PersonEmbedder

DEFAULT_GALLERY = "default"
GOLDEN_COSINE = 0.9999

log = logging.getLogger("gaitkeeper")


@dataclass(frozen=True)
class Runtime:
    """What requests need, built once."""

    settings: Settings
    served: Sequence[Checkpoint]
    reid: ReidPipeline
    upload_limits: UploadLimits
    device: str
    golden: "GoldenCheck"


@dataclass(frozen=True)
class GoldenCheck:
    """Proof that a served network still computes what it computed when its weights were released."""

    embedder: PersonEmbedder
    batcher: Batcher[Tensor, Tensor]
    expected: np.ndarray[tuple[int], np.dtype[np.float32]]

    async def passes(self) -> bool:
        """Whether the golden picture, sent through the batcher, gives the recorded embedding."""
        prepared = self.embedder.prepare(golden_image(self.embedder.size))
        row, _ = await self.batcher.submit(prepared)
        return float(self.embedder.finish(row) @ self.expected) >= GOLDEN_COSINE


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Load the networks, open the galleries, and close all of it when the block ends.

    Raises:
        CheckpointError: the setting names an unknown checkpoint, or a file is not what the manifest says.
        ValueError: the setting asks for a device that is not there.
    """
    started = time.perf_counter()
    weights_dir = settings.weights_dir or bundled_weights_dir()
    checkpoint = _find(weights_dir, settings.reid_model, "reid")
    device = choose_device(settings.device)
    embedder, expected = await asyncio.to_thread(load_embedder, checkpoint, weights_dir)
    embedder.network.to(device)
    store = await asyncio.to_thread(GalleryStore.open, settings.data_dir)
    runner = Runner(embedder, device, settings.threads)
    batcher = Batcher[Tensor, Tensor](runner.run, settings.max_batch, settings.max_waiting)
    preparing = ThreadPoolExecutor(settings.prepare_workers, "prepare")
    waiting_on_disk = ThreadPoolExecutor(8, "gallery")
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.min_image_side)
    reid = ReidPipeline(checkpoint, expected.size, embedder, batcher, store, preparing, waiting_on_disk, limits)
    batcher.start()
    try:
        await _ensure_default_gallery(reid)
        golden = GoldenCheck(embedder, batcher, expected)
        if not await golden.passes():
            raise CheckpointError(f"{checkpoint.name} does not reproduce its golden sample on {device}")
        log.info("ready in %.1f s: %s on %s", time.perf_counter() - started, checkpoint.name, device)
        if not checkpoint.commercial_use:
            log.warning("%s: licence %s; not for commercial use", checkpoint.name, checkpoint.licence)
        upload_limits = UploadLimits(settings.max_body_bytes, settings.max_images)
        yield Runtime(settings, (checkpoint,), reid, upload_limits, str(device), golden)
    finally:
        await batcher.close()
        runner.close()
        preparing.shutdown()
        waiting_on_disk.shutdown()
        store.close()


def load_embedder(
    checkpoint: Checkpoint, weights_dir: Path
) -> tuple[PersonEmbedder, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Load a re-identification checkpoint, with the embedding of its golden picture (D,)."""
    network = load_network(checkpoint, weights_dir)
    preprocessing = checkpoint.preprocessing
    embedder = PersonEmbedder(network, preprocessing.size, preprocessing.normalisation, preprocessing.flip)
    expected = np.load(golden_path(checkpoint, weights_dir), allow_pickle=False)
    return embedder, expected


def _find(weights_dir: Path, name: str, task: str) -> Checkpoint:
    candidates = {c.name: c for c in read_manifest(weights_dir).values() if c.task == task}
    if name in candidates:
        return candidates[name]
    here = ", ".join(sorted(c.name for c in candidates.values() if c.is_available(weights_dir)))
    raise CheckpointError(f"there is no {task} checkpoint {name!r}; {weights_dir} has {here or 'none'}")


async def _ensure_default_gallery(reid: ReidPipeline) -> None:
    galleries = await reid.in_store(reid.store.list)
    if all(gallery.name != DEFAULT_GALLERY for gallery in galleries):
        await reid.in_store(reid.store.create, DEFAULT_GALLERY, reid.checkpoint.sha256, reid.embedding_dim)
