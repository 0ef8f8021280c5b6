"""Where to run: one predictor on one device. Knows tensors, no queues."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from app.engine.preparing import FairExecutor
from models.runtimes.cores import use_cores


class Predictor(Protocol):
    """What a runner needs of a network."""

    def forward(self, batch: Tensor) -> Tensor:
        """Map prepared items (B, …) to rows (B, …)."""


class Runner:
    """Runs batches on one device, in one thread of its own.

    On a GPU, batches are padded to a power of two, so that there are few graphs; on a CPU, where time grows with every
    item, they are not.

    Args:
        predictor: what runs; its parameters live on `device` already.
        device: where.
        threads: threads of one forward pass on a CPU; 0 takes every core.
    """

    def __init__(self, predictor: Predictor, device: torch.device, threads: int = 0) -> None:
        self._predictor, self._device = predictor, device
        self._thread = FairExecutor(1, "runner", partial(use_cores, threads))

    async def run(self, items: Sequence[Tensor]) -> list[Tensor]:
        """Run items of one shape as one batch; one row each, on the CPU."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.run_now, items)

    @torch.inference_mode()
    def run_now(self, items: Sequence[Tensor]) -> list[Tensor]:
        """The same, in the calling thread."""
        if self._device.type != "cuda":
            return list(self._predictor.forward(torch.stack(list(items))))
        batch = torch.stack([*items, *[items[0]] * (bucket(len(items)) - len(items))])
        # Memory that may move would be copied twice.
        rows = self._predictor.forward(batch.pin_memory().to(self._device, non_blocking=True))
        return list(rows[: len(items)].cpu())

    def close(self, wait: bool = True) -> None:
        """End the thread, after the batch that is running; do not `wait` for it if it hangs."""
        self._thread.shutdown(wait, cancel_futures=not wait)


def bucket(items: int) -> int:
    """The power of two that a batch of so many items is padded to."""
    return 1 << (items - 1).bit_length()


def choose_device(wanted: str) -> torch.device:
    """The device for a setting of "auto", "cpu" or "cuda".

    Raises:
        ValueError: "cuda" is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("the setting device is 'cuda', but no GPU is usable here; choose 'auto' or 'cpu'")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
