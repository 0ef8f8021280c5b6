"""Keeps a runner alive: notices one that hangs or breaks, and puts another in its place."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Generic, Protocol, TypeVar

from app.engine.refusals import MachineError

Item = TypeVar("Item", contravariant=True)
Result = TypeVar("Result", covariant=True)

log = logging.getLogger("gaitkeeper")

# A hung thread cannot be ended, so each loss leaks one. After so many in a row only a restart helps.
MOST_LOSSES = 3


class WorkerLostError(MachineError):
    """The runner hung or broke, and was replaced."""


class BatchRunner(Protocol[Item, Result]):
    """What a supervisor keeps alive."""

    async def run(self, items: Sequence[Item]) -> Sequence[Result]:
        """Run one batch."""

    def close(self, wait: bool = True) -> None:
        """End it; without `wait`, also when it hangs."""


class Supervisor(Generic[Item, Result]):
    """Runs batches on a runner that it replaces when need be.

    Args:
        build: makes a runner; called now, and after every loss.
        hang_seconds: a batch that takes longer has hung; None for no bound.
        name: of the network, for the log.
    """

    def __init__(self, build: Callable[[], BatchRunner[Item, Result]], hang_seconds: float | None, name: str) -> None:
        self._build, self._hang_seconds, self._name = build, hang_seconds, name
        self._runner = build()
        self._losses = 0

    async def run(self, items: Sequence[Item]) -> Sequence[Result]:
        """Run one batch.

        Raises:
            WorkerLostError: the runner hung or broke.
            Exception: whatever the runner raised.
        """
        if self._losses >= MOST_LOSSES:
            raise WorkerLostError(f"{self._name}: lost {self._losses} workers in a row; restart the service")
        timeout = asyncio.timeout(self._hang_seconds)
        try:
            async with timeout:
                results = await self._runner.run(items)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise self._lost(f"a batch took more than {self._hang_seconds} s") from None
        except (BrokenExecutor, SystemExit) as error:
            raise self._lost(f"the worker ended: {error!r}") from None
        self._losses = 0
        return results

    def close(self) -> None:
        """Wait for the batch that is running, then end the runner."""
        self._runner.close()

    def _lost(self, reason: str) -> WorkerLostError:
        self._losses += 1
        log.error("%s: %s; the worker is replaced", self._name, reason)
        self._runner.close(wait=False)
        self._runner = self._build()
        return WorkerLostError(f"{self._name}: {reason}")
