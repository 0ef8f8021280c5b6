"""What a batcher's callers wait for, and running a batch so that only the guilty fail."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.engine.observer import Observer
from app.engine.refusals import MachineError
from app.engine.terms import Terms

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Timing:
    """Where one item's time went, in seconds, and how many items ran with it."""

    queue_seconds: float
    forward_seconds: float
    batch_size: int = 1


@dataclass(eq=False, slots=True)
class Call(Generic[Item, Result]):
    """One item that waits, and who waits for it.

    Attributes:
        item: what to run.
        terms: of its request.
        weight: bytes.
        future: where the result, or what went wrong, is told.
        arrived: reading of `time.perf_counter`.
    """

    item: Item
    terms: Terms
    weight: int
    future: "asyncio.Future[tuple[Result, Timing]]"
    arrived: float = field(default_factory=time.perf_counter)

    def fail(self, error: BaseException) -> None:
        """Tell the caller what went wrong, if it still waits."""
        if not self.future.done():
            self.future.set_exception(error)

    def succeed(self, result: Result, timing: Timing) -> None:
        """Tell the caller the result, if it still waits."""
        if not self.future.done():
            self.future.set_result((result, timing))


async def run_calls(
    calls: Sequence[Call[Item, Result]],
    run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
    observer: Observer,
) -> None:
    """Run calls as one batch and answer each; a batch that fails is cut in halves until only the guilty item fails.

    When the machine fails, all of them do: trying the parts would not help.
    """
    started = time.perf_counter()
    try:
        results = await run([call.item for call in calls])
        if len(results) != len(calls):
            raise RuntimeError(f"{len(calls)} items gave {len(results)} results")
    except MachineError as error:
        observer.failed(error)
        for call in calls:
            call.fail(error)
        return
    except Exception as error:  # one bad item must not end the loop, nor its neighbours' calls
        if len(calls) == 1:
            observer.failed(error)
            calls[0].fail(error)
            return
    else:
        seconds = time.perf_counter() - started
        waited = [started - call.arrived for call in calls]
        observer.ran(waited, seconds)
        for call, result, queue_seconds in zip(calls, results, waited, strict=True):
            call.succeed(result, Timing(queue_seconds, seconds, len(calls)))
        return
    middle = len(calls) // 2
    await run_calls(calls[:middle], run, observer)
    await run_calls(calls[middle:], run, observer)
