"""When to run: groups waiting calls into batches. Knows time and queues, no tensors."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class OverloadedError(Exception):
    """More calls wait than are allowed.

    Attributes:
        limit: how many may wait.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} items are waiting already")
        self.limit = limit


@dataclass(frozen=True)
class Timing:
    """Where one item's time went, in seconds."""

    queue_seconds: float
    forward_seconds: float


@dataclass
class _Call(Generic[Item, Result]):
    item: Item
    future: "asyncio.Future[tuple[Result, Timing]]"
    arrived: float = field(default_factory=time.perf_counter)


class Batcher(Generic[Item, Result]):
    """Runs items in batches, one batch at a time.

    It is work-conserving: the moment the runner is free it takes what is waiting, up to `max_batch`, and never waits
    for more. Calls whose caller has gone are dropped before they run. When a batch fails it is cut in halves until
    only the guilty item fails.

    Args:
        run: runs one batch and returns one result an item, in order.
        max_batch: items in one run at most.
        max_waiting: items that may wait; beyond, `submit` refuses at once.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        max_batch: int,
        max_waiting: int,
    ) -> None:
        self._run, self._max_batch, self._max_waiting = run, max_batch, max_waiting
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._work_arrived = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to run batches, on the current event loop."""
        self._loop_task = asyncio.create_task(self._serve(), name="batcher")

    async def close(self) -> None:
        """Finish everything that was admitted, then stop."""
        while self._waiting:
            await asyncio.gather(*(call.future for call in self._waiting), return_exceptions=True)
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    def admit(self, count: int) -> None:
        """Check that `count` more items may wait.

        Raises:
            OverloadedError: too many are waiting.
        """
        if len(self._waiting) + count > self._max_waiting:
            raise OverloadedError(self._max_waiting)

    async def submit(self, item: Item) -> tuple[Result, Timing]:
        """Run one item in some batch.

        Returns:
            Its result, and how long it waited and ran.

        Raises:
            OverloadedError: too many items are waiting.
            Exception: whatever `run` raised for this item alone.
        """
        self.admit(1)
        call = _Call[Item, Result](item, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._work_arrived.set()
        return await call.future

    async def _serve(self) -> None:
        while True:
            await self._work_arrived.wait()
            batch = self._take()
            if batch:
                await self._run_batch(batch)

    def _take(self) -> list[_Call[Item, Result]]:
        batch: list[_Call[Item, Result]] = []
        while self._waiting and len(batch) < self._max_batch:
            call = self._waiting.popleft()
            if not call.future.done():
                batch.append(call)
        if not self._waiting:
            self._work_arrived.clear()
        return batch

    async def _run_batch(self, batch: list[_Call[Item, Result]]) -> None:
        started = time.perf_counter()
        try:
            results = await self._run([call.item for call in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        except Exception as error:  # one bad item must not end the loop, nor its neighbours' calls
            await self._isolate(batch, error)
            return
        forward_seconds = time.perf_counter() - started
        for call, result in zip(batch, results, strict=True):
            if not call.future.done():
                call.future.set_result((result, Timing(started - call.arrived, forward_seconds)))

    async def _isolate(self, batch: list[_Call[Item, Result]], error: Exception) -> None:
        if len(batch) == 1:
            if not batch[0].future.done():
                batch[0].future.set_exception(error)
            return
        middle = len(batch) // 2
        await self._run_batch(batch[:middle])
        await self._run_batch(batch[middle:])
