"""A network that is being served: its checkpoint, what runs it, and the proof that it still computes the same."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.engine.batcher import Batcher
from app.engine.memory import halve_when_out_of_memory
from app.engine.observer import Observer
from app.engine.runner import Predictor, Runner
from app.engine.supervisor import Supervisor
from app.engine.sweep import fastest_size
from models.checkpoint import Checkpoint, CheckpointError
from models.golden import COSINE, agrees, golden_item

P = TypeVar("P", bound=Predictor)

# Of a batch, by kind of device, where the fastest size is looked for.
LARGEST = {"cpu": 16, "cuda": 64}


@dataclass(frozen=True)
class ServedNetwork(Generic[P]):
    """One checkpoint on one device.

    Attributes:
        checkpoint: its entry of the manifest.
        predictor: prepares items, and finishes rows.
        batcher: takes prepared items, gives rows.
        golden: the row that the golden picture gave when the weights were released.
        golden_cosine: how like it that row must still be.
    """

    checkpoint: Checkpoint
    predictor: P
    batcher: Batcher[Tensor, Tensor]
    golden: NDArray[np.float32]
    golden_cosine: float = COSINE

    @property
    def item_shape(self) -> tuple[int, ...]:
        """The shape of one prepared item."""
        return tuple(golden_item(self.checkpoint).shape)

    async def reproduces_golden(self) -> bool:
        """Whether the golden picture, sent through the batcher, gives the recorded row."""
        prepared = await asyncio.to_thread(golden_item, self.checkpoint)
        row, _ = await self.batcher.submit(prepared)
        return agrees(row, self.golden, self.golden_cosine)


@dataclass(frozen=True)
class Machine:
    """What the networks of one device share.

    Attributes:
        max_wait_seconds: how long an item may wait.
        max_waiting_bytes: of prepared items, for each network.
        hang_seconds: a forward pass that takes longer has hung; None for no bound.
        observer: by network name, who is told of its batches.
        turn: taken for each batch, so that the networks run in turns.
    """

    max_wait_seconds: float = math.inf
    max_waiting_bytes: float = math.inf
    hang_seconds: float | None = None
    observer: Callable[[str], Observer | None] = lambda name: None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Capacity:
    """How a network is run.

    Attributes:
        device: where.
        threads: of one forward pass on a CPU; 0 takes every core.
        max_batch: items in one forward pass; 0 tries which size is the fastest.
        max_waiting: items that may wait.
        machine: what it shares with the other networks of its device.
        golden_cosine: how like its golden sample its answer must be.
    """

    device: torch.device
    threads: int
    max_batch: int
    max_waiting: int
    machine: Machine = field(default_factory=Machine)
    golden_cosine: float = COSINE


@asynccontextmanager
async def serving(
    checkpoint: Checkpoint, predictor: P, golden: NDArray[np.float32], capacity: Capacity, remedy: str = ""
) -> AsyncIterator[ServedNetwork[P]]:
    """Run a network until the block ends; what was admitted is finished first.

    Raises:
        CheckpointError: it does not reproduce its golden sample; the message ends with `remedy`.
    """
    supervisor = _supervise(checkpoint.name, predictor, capacity)
    run = halve_when_out_of_memory(supervisor.run)
    max_batch = capacity.max_batch
    if not max_batch:
        item = await asyncio.to_thread(golden_item, checkpoint)
        max_batch = await fastest_size(run, item, LARGEST[capacity.device.type], checkpoint.name)
    batcher = _batcher(checkpoint.name, run, max_batch, capacity)
    network = ServedNetwork(checkpoint, predictor, batcher, golden, capacity.golden_cosine)
    batcher.start()
    try:
        if not await network.reproduces_golden():
            raise CheckpointError(
                f"{checkpoint.name} does not reproduce its golden sample on {capacity.device}{remedy}"
            )
        yield network
    finally:
        await batcher.close()
        supervisor.close()


def _supervise(name: str, predictor: Predictor, capacity: Capacity) -> Supervisor[Tensor, Tensor]:
    def build() -> Runner:
        return Runner(predictor, capacity.device, capacity.threads)

    return Supervisor(build, capacity.machine.hang_seconds, name)


def _batcher(
    name: str, run: Callable[[Sequence[Tensor]], Awaitable[Sequence[Tensor]]], max_batch: int, capacity: Capacity
) -> Batcher[Tensor, Tensor]:
    machine = capacity.machine
    return Batcher(
        run,
        max_batch,
        capacity.max_waiting,
        max_waiting_bytes=machine.max_waiting_bytes,
        max_wait_seconds=machine.max_wait_seconds,
        weigh=lambda item: item.nbytes,
        turn=machine.turn,
        observer=machine.observer(name),
    )
