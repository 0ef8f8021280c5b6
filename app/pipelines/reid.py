"""Person crops to embeddings, enrolments and ranked identities."""

import asyncio
import contextvars
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.engine.batcher import Batcher
from app.engine.together import together
from app.errors import ProblemError
from app.gallery.domain import Enrolment, NewShot, Ranking, Search
from app.gallery.gallery import GalleryStore
from app.gallery.idempotency import Once
from app.images import ImageLimits, decode_image
from app.pipelines.decision import Basis, Decision, decide
from app.pipelines.quality import crop_quality
from app.telemetry.stages import record
from models.checkpoint import Checkpoint
from models.predictors.reid import PersonEmbedder
from models.quality import Visibility

Embedding = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class Crop:
    """One picture after embedding.

    Attributes:
        embedding: (D,) of unit length.
        sha256: of the bytes that were sent; None if an embedding was sent.
        quality: 0..1, how much it can be trusted.
        visibility: how much of a person it shows, if somebody asked.
    """

    embedding: Embedding
    sha256: str | None
    quality: float = 1.0
    visibility: Visibility | None = None


@dataclass
class Timings:
    """Where a request's time went, in milliseconds; of parallel work, the slowest."""

    prepare: float = 0.0
    queue: float = 0.0
    forward: float = 0.0
    search: float = 0.0
    total: float = 0.0


@dataclass(frozen=True)
class Embedded:
    """The outcome for each picture of a request, in order: a crop, or why there is none."""

    items: list[Crop | ProblemError]
    timings: Timings

    def crops(self) -> list[Crop]:
        """The pictures that worked.

        Raises:
            ProblemError: none did; it is the first one's problem.
        """
        good = [item for item in self.items if isinstance(item, Crop)]
        if not good:
            raise next(item for item in self.items if isinstance(item, ProblemError))
        return good

    def embeddings(self) -> NDArray[np.float32]:
        """(N, D) of the pictures that worked; raises as `crops` does."""
        return np.stack([crop.embedding for crop in self.crops()])

    def qualities(self) -> tuple[float, ...] | None:
        """Of the pictures that worked; None if there are no pictures."""
        return tuple(crop.quality for crop in self.crops()) if self.items else None


@dataclass(frozen=True)
class Answer:
    """A ranking with the decision on its first place."""

    ranking: Ranking
    decision: Decision
    timings: Timings


class ReidPipeline:
    """Everything that `/reid` and enrolment do.

    Args:
        checkpoint: what embeds; its hash binds galleries, its threshold decides.
        embedding_dim: D of its embeddings.
        embedder: prepares pictures and finishes rows.
        batcher: runs prepared pictures.
        store: the galleries.
        preparing: threads that decode pictures.
        waiting_on_disk: threads that call the store.
        limits: of pictures.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        embedding_dim: int,
        embedder: PersonEmbedder,
        batcher: Batcher[Tensor, Tensor],
        store: GalleryStore,
        preparing: Executor,
        waiting_on_disk: Executor,
        limits: ImageLimits,
    ) -> None:
        self.checkpoint, self.embedding_dim, self.store = checkpoint, embedding_dim, store
        self._embedder, self._batcher = embedder, batcher
        self._preparing, self._waiting_on_disk, self._limits = preparing, waiting_on_disk, limits

    async def embed(self, files: Sequence[bytes], field: str = "image") -> Embedded:
        """Embed encoded pictures of persons.

        Raises:
            OverloadedError: too much is waiting.
        """
        self._batcher.admit(len(files))
        started, timings = time.perf_counter(), Timings()
        items = await together(*(self._embed_one(file, field, timings) for file in files))
        timings.total = milliseconds_since(started)
        return Embedded(items, timings)

    async def _embed_one(self, file: bytes, field: str, timings: Timings) -> Crop | ProblemError:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            prepared, sha256, quality = await loop.run_in_executor(self._preparing, self._prepare, file, field)
        except ProblemError as problem:
            return problem
        timings.prepare = max(timings.prepare, milliseconds_since(started))
        record("prepare", started, time.perf_counter())
        row, timing = await self._batcher.submit(prepared)
        timings.queue = max(timings.queue, timing.queue_seconds * 1000)
        timings.forward = max(timings.forward, timing.forward_seconds * 1000)
        return Crop(self._embedder.finish(row), sha256, quality)

    def _prepare(self, file: bytes, field: str) -> tuple[Tensor, str, float]:
        image = decode_image(file, self._limits, field)
        quality = crop_quality(image, self._embedder.size)
        return self._embedder.prepare(image), hashlib.sha256(file).hexdigest(), quality

    async def query(
        self,
        gallery: str,
        embeddings: NDArray[np.float32],
        search: Search,
        timings: Timings,
        target_fpir: float | None = None,
    ) -> Answer:
        """Rank a gallery's identities for one person.

        Args:
            gallery: its name.
            embeddings: (Q, D) unit rows, all of the same person.
            search: how the gallery is searched.
            timings: of the embedding, completed here.
            target_fpir: rate of strangers taken for somebody that the threshold is set for; a hundredth if not given.

        Raises:
            GalleryError: unknown gallery, or one of another checkpoint.
            ProblemError: a rate is asked for where there is no calibration.
        """
        started = time.perf_counter()
        ranking, basis = await self.in_store(self._search, gallery, embeddings, search)
        timings.search = milliseconds_since(started)
        record("search", started, time.perf_counter())
        timings.total += timings.search
        return Answer(ranking, decide(ranking, basis, target_fpir), timings)

    def _search(self, gallery: str, embeddings: NDArray[np.float32], search: Search) -> tuple[Ranking, Basis]:
        ranking = self.store.search(gallery, embeddings, search, self.checkpoint.sha256)
        return ranking, self.basis(gallery)

    def basis(self, gallery: str) -> Basis:
        """What similarities of a gallery are judged by; to be called in a thread of the store."""
        return Basis.of(self.checkpoint, self.store.calibration(gallery))

    async def enrol(
        self,
        gallery: str,
        identity_id: str,
        crops: Sequence[Crop],
        label: str | None = None,
        camera: str | None = None,
        taken_at: float | None = None,
        metadata: dict[str, Any] | None = None,
        quality: float | None = None,
        once: Once | None = None,
        notes: Sequence[dict[str, Any]] = (),
    ) -> Enrolment:
        """Add crops of one person to a gallery; when it returns, they are on disk.

        A call that is the same `once` as an earlier one changes nothing and returns what that one did, with its notes.
        """
        shots = [
            NewShot(
                crop.embedding,
                crop.sha256,
                camera,
                taken_at,
                metadata or {},
                crop.quality if quality is None else quality,
            )
            for crop in crops
        ]
        return await self.in_store(
            self.store.enrol, gallery, identity_id, shots, self.checkpoint.sha256, label, once, notes
        )

    async def in_store(self, call: Callable[..., T], *arguments: object) -> T:
        """Call the store in a thread, so that the event loop never waits for a disk."""
        # The audit trail asks the context for whom it is.
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._waiting_on_disk, context.run, call, *arguments)


def milliseconds_since(started: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000


def verification_similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """How similar two sets of unit rows (A, D) and (B, D) are: each row's best match in the other set, averaged."""
    similarities = a @ b.T
    return float((similarities.max(axis=0).mean() + similarities.max(axis=1).mean()) / 2)
