"""What to do when a batch does not fit into the GPU's memory."""

import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger("gaitkeeper")


def halve_when_out_of_memory(
    run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
) -> Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]:
    """A `run` that, when memory runs out, frees what is cached and tries once more with half the batch at a time.

    The second time the error is raised; for a batch of one, at once.
    """

    async def run_halved(items: Sequence[Item]) -> Sequence[Result]:
        try:
            return await run(items)
        except torch.OutOfMemoryError:
            if len(items) == 1:
                raise
        # Outside the handler: its traceback would keep the failed batch's tensors alive.
        _free()
        middle = (len(items) + 1) // 2
        log.warning("out of memory with a batch of %d; trying %d at a time", len(items), middle)
        return [*await run(items[:middle]), *await run(items[middle:])]

    return run_halved


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
