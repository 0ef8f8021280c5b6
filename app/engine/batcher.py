"""When to run: groups waiting calls into batches. Knows time and queues, no tensors."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from app.engine.calls import Call, Timing, run_calls
from app.engine.observer import Nobody, Observer
from app.engine.pace import Pace
from app.engine.queue import FairQueue
from app.engine.refusals import ClosedError, DeadlineError, MachineError, OverloadedError, Reason
from app.engine.terms import Terms, current_terms
from app.telemetry.stages import record

__all__ = ["Batcher", "ClosedError", "DeadlineError", "MachineError", "OverloadedError", "Timing"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs items in batches, one batch at a time.

    It is work-conserving: the moment the runner is free it takes what is waiting, up to `max_batch`, and never waits
    for more. Interactive work goes before bulk work, and callers take turns (see `FairQueue`). Calls whose caller has
    gone, or whose deadline has passed, are dropped before they run. When a batch fails it is cut in halves until only
    the guilty item fails.

    Args:
        run: runs one batch and returns one result an item, in order.
        max_batch: items in one run at most.
        max_waiting: items that may wait; beyond, `submit` refuses at once.
        max_waiting_bytes: what they may weigh together.
        max_wait_seconds: how long one may wait; it is refused at once if it is expected to wait longer.
        weigh: bytes of an item.
        turn: shared by the batchers of one device, which then run in turns.
        observer: told of every batch and every refusal.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        max_batch: int,
        max_waiting: int,
        *,
        max_waiting_bytes: float = math.inf,
        max_wait_seconds: float = math.inf,
        weigh: Callable[[Item], int] = lambda item: 0,
        turn: asyncio.Lock | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._run, self.max_batch, self._max_waiting = run, max_batch, max_waiting
        self._max_waiting_bytes, self._max_wait_seconds, self._weigh = max_waiting_bytes, max_wait_seconds, weigh
        # A fair lock: whoever asked first runs next, so that a busy network cannot keep the device.
        self._turn = turn or asyncio.Lock()
        self._observer: Observer = observer or Nobody()
        self._waiting: FairQueue[Call[Item, Result]] = FairQueue()
        self._waiting_bytes = 0
        self._running: list[Call[Item, Result]] = []
        self._work_arrived = asyncio.Event()
        self._closing = False
        self._loop_task: asyncio.Task[None] | None = None
        self.pace = Pace()

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Items in the batch that runs."""
        return len(self._running)

    def start(self) -> None:
        """Begin to run batches, on the current event loop."""
        self._loop_task = asyncio.create_task(self._serve(), name="batcher")

    async def close(self) -> None:
        """Finish everything that was admitted, then stop; cancelled, it gives up what is left."""
        self._closing = True
        self._work_arrived.set()
        if self._loop_task is not None:
            await self._loop_task

    def admit(self, count: int, terms: Terms | None = None) -> None:
        """Check that `count` more items may wait, and are expected to be done in time.

        Raises:
            OverloadedError: too many are waiting, or the wait would be too long.
            DeadlineError: the deadline has passed already.
            ClosedError: the batcher is closing.
        """
        self._check_room(count)
        terms, now = terms or current_terms(), time.monotonic()
        if terms.deadline <= now:
            self._observer.shed("deadline")
            raise DeadlineError
        ahead = self._waiting.ahead_of(terms, count) - count + len(self._running)
        # With nothing ahead there is nothing to predict, and a first slow batch must not refuse everybody for ever.
        if ahead and self.pace.wait(ahead) > self._max_wait_seconds:
            raise self._refusal("age", self._max_wait_seconds)
        if ahead and now + self.pace.wait(ahead + count) > terms.deadline:
            raise self._refusal("age", terms.deadline - now)

    def _check_room(self, count: int) -> None:
        if self._closing:
            raise ClosedError
        if len(self._waiting) + count > self._max_waiting:
            raise self._refusal("count", self._max_waiting)

    async def submit(self, item: Item, terms: Terms | None = None) -> tuple[Result, Timing]:
        """Run one item in some batch.

        Args:
            item: what to run.
            terms: those of the current request if not given.

        Returns:
            Its result, and how long it waited and ran.

        Raises:
            OverloadedError: too much is waiting, or this has waited too long.
            DeadlineError: the deadline passed first.
            ClosedError: the batcher is closing.
            MachineError: the runner failed, whatever the items were.
            Exception: whatever `run` raised for this item alone.
        """
        terms = terms or current_terms()
        self._check_room(1)
        weight = self._weigh(item)
        if self._waiting_bytes + weight > self._max_waiting_bytes:
            raise self._refusal("bytes", self._max_waiting_bytes)
        loop = asyncio.get_running_loop()
        call = Call[Item, Result](item, terms, weight, loop.create_future())
        self._waiting.put(call)
        self._waiting_bytes += weight
        self._work_arrived.set()
        alarms = self._set_alarms(call)
        try:
            result, timing = await call.future
        finally:
            for alarm in alarms:
                alarm.cancel()
            if self._forget(call):
                self._observer.shed("abandoned")
        started = call.arrived + timing.queue_seconds
        record("queue", call.arrived, started)
        record("forward", started, started + timing.forward_seconds, timing.batch_size)
        return result, timing

    def _refusal(self, reason: Reason, limit: float) -> OverloadedError:
        self._observer.shed(reason)
        return OverloadedError(limit, reason, max(self.pace.wait(len(self._waiting)), 0.1))

    def _set_alarms(self, call: Call[Item, Result]) -> list[asyncio.TimerHandle]:
        loop, alarms = asyncio.get_running_loop(), []
        if call.terms.deadline < math.inf:
            alarms.append(loop.call_later(call.terms.deadline - time.monotonic(), self._on_deadline, call))
        if self._max_wait_seconds < math.inf:
            alarms.append(loop.call_later(self._max_wait_seconds, self._on_age, call))
        return alarms

    def _on_deadline(self, call: Call[Item, Result]) -> None:
        self._forget(call)
        self._observer.shed("deadline")
        call.fail(DeadlineError())

    def _on_age(self, call: Call[Item, Result]) -> None:
        if self._forget(call):  # one that runs by now may finish
            call.fail(self._refusal("age", self._max_wait_seconds))

    def _forget(self, call: Call[Item, Result]) -> bool:
        waited = self._waiting.discard(call)
        self._waiting_bytes -= call.weight if waited else 0
        return waited

    async def _serve(self) -> None:
        try:
            while self._waiting or not self._closing:
                await self._work_arrived.wait()
                wanted = time.perf_counter()
                async with self._turn:
                    self._running = self._take()
                    if self._running:
                        await run_calls(self._running, self._run, self._observer)
                        self.pace.note(time.perf_counter() - wanted, len(self._running))
                    self._running = []
        finally:
            self._closing = True
            for call in (*self._running, *self._waiting):
                call.fail(ClosedError())

    def _take(self) -> list[Call[Item, Result]]:
        batch: list[Call[Item, Result]] = []
        now = time.monotonic()
        while len(batch) < self.max_batch and (call := self._waiting.pop()) is not None:
            self._waiting_bytes -= call.weight
            if call.future.done():
                self._observer.shed("abandoned")
            elif call.terms.deadline <= now:
                self._observer.shed("deadline")
                call.fail(DeadlineError())
            else:
                batch.append(call)
        if not self._waiting:
            self._work_arrived.clear()
        return batch
