import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.batcher import Batcher, ClosedError, DeadlineError, MachineError, OverloadedError
from app.engine.terms import Terms

T = TypeVar("T")


class Squarer:
    """Squares numbers and remembers its batches; 13 is poison to a whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.began.set()
        await self.gate.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [number * number for number in numbers]


def with_batcher(
    scenario: Callable[[Batcher[int, int], Squarer], Awaitable[T]], max_batch: int = 4, max_waiting: int = 100
) -> T:
    async def main() -> T:
        squarer = Squarer()
        batcher = Batcher[int, int](squarer.run, max_batch, max_waiting)
        batcher.start()
        try:
            return await scenario(batcher, squarer)
        finally:
            await batcher.close()

    return asyncio.run(main())


@given(numbers=st.lists(st.integers(), min_size=1, max_size=40), max_batch=st.integers(1, 8))
def test_every_caller_gets_its_own_result(numbers: list[int], max_batch: int) -> None:
    healthy = [number for number in numbers if number != 13]

    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[int]:
        return [result for result, _ in await asyncio.gather(*map(batcher.submit, healthy))]

    assert with_batcher(scenario, max_batch) == [number * number for number in healthy]


@given(position=st.integers(0, 19))
def test_one_bad_item_fails_alone(position: int) -> None:
    numbers = list(range(100, 120))
    numbers[position] = 13

    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[object]:
        return await asyncio.gather(*map(batcher.submit, numbers), return_exceptions=True)

    outcomes = with_batcher(scenario, max_batch=8)

    assert isinstance(outcomes[position], ValueError)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 19


def test_what_waits_while_the_runner_is_busy_goes_together() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[list[int]]:
        squarer.gate.clear()
        calls = [asyncio.create_task(batcher.submit(0))]
        await squarer.began.wait()
        calls += [asyncio.create_task(batcher.submit(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        squarer.gate.set()
        await asyncio.gather(*calls)
        return squarer.batches

    assert with_batcher(scenario) == [[0], [1, 2, 3, 4], [5]]


def test_a_caller_that_has_gone_costs_nothing() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[list[int]]:
        squarer.gate.clear()
        first = asyncio.create_task(batcher.submit(0))
        await squarer.began.wait()
        gone, stays = (asyncio.create_task(batcher.submit(number)) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        squarer.gate.set()
        await asyncio.gather(first, stays)
        return squarer.batches

    assert with_batcher(scenario) == [[0], [2]]


def test_a_full_queue_refuses_at_once() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> float:
        squarer.gate.clear()
        first = asyncio.create_task(batcher.submit(0))
        await squarer.began.wait()
        waiting = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as caught:
            await batcher.submit(4)
        squarer.gate.set()
        await asyncio.gather(first, *waiting)
        return caught.value.limit

    assert with_batcher(scenario, max_waiting=3) == 3


def test_closing_finishes_what_was_admitted() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[tuple[int, object]]:
        calls = [asyncio.create_task(batcher.submit(number)) for number in range(9)]
        await asyncio.sleep(0)
        await batcher.close()
        return await asyncio.gather(*calls)

    assert [result for result, _ in with_batcher(scenario)] == [number * number for number in range(9)]


def test_a_runner_that_loses_results_is_found_out() -> None:
    async def short(numbers: Sequence[int]) -> list[int]:
        return []

    async def main() -> None:
        batcher = Batcher[int, int](short, 4, 10)
        batcher.start()
        try:
            await batcher.submit(1)
        finally:
            await batcher.close()

    with pytest.raises(RuntimeError, match="1 items gave 0 results"):
        asyncio.run(main())


INTERACTIVE, BULK = Terms("a"), Terms("a", bulk=True)


async def behind_a_running_batch(
    batcher: Batcher[int, int], squarer: Squarer, calls: Sequence[tuple[int, Terms]]
) -> list[object]:
    """Submit numbers while a batch holds the runner, then let go; their outcomes."""
    squarer.gate.clear()
    first = asyncio.create_task(batcher.submit(0))
    await squarer.began.wait()
    tasks = [asyncio.create_task(batcher.submit(number, terms)) for number, terms in calls]
    await asyncio.sleep(0)
    squarer.gate.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_interactive_work_goes_before_bulk_and_callers_take_turns() -> None:
    calls = [(1, BULK), (2, Terms("a")), (3, Terms("a")), (4, Terms("a")), (5, Terms("b"))]

    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[list[int]]:
        await behind_a_running_batch(batcher, squarer, calls)
        return squarer.batches

    assert with_batcher(scenario, max_batch=2) == [[0], [2, 5], [3, 4], [1]]


def test_expired_work_never_runs() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> tuple[list[object], list[list[int]]]:
        late = Terms(deadline=time.monotonic() - 1)
        return await behind_a_running_batch(batcher, squarer, [(1, late), (2, INTERACTIVE)]), squarer.batches

    outcomes, batches = with_batcher(scenario)

    assert isinstance(outcomes[0], DeadlineError)
    assert batches == [[0], [2]]


def test_a_deadline_is_answered_while_the_runner_is_stuck() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> None:
        squarer.gate.clear()
        soon = Terms(deadline=time.monotonic() + 0.02)
        running = asyncio.create_task(batcher.submit(0, soon))
        await squarer.began.wait()
        waiting = asyncio.create_task(batcher.submit(1, soon))
        try:
            for task in (running, waiting):
                with pytest.raises(DeadlineError):
                    await task
        finally:
            squarer.gate.set()

    with_batcher(scenario)


def test_an_item_that_has_waited_too_long_is_refused_as_overload() -> None:
    async def main() -> None:
        squarer = Squarer()
        squarer.gate.clear()
        batcher = Batcher[int, int](squarer.run, 1, 10, max_wait_seconds=0.02)
        batcher.start()
        first = asyncio.create_task(batcher.submit(0))
        await squarer.began.wait()
        with pytest.raises(OverloadedError) as caught:
            await batcher.submit(1)
        squarer.gate.set()
        assert (await first)[0] == 0
        await batcher.close()
        assert caught.value.reason == "age"

    asyncio.run(main())


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> list[str]:
        batcher.pace.note(seconds=60, items=1)
        batcher.admit(1, Terms(deadline=time.monotonic() + 1))  # nobody is ahead, so it may try
        squarer.gate.clear()
        first = asyncio.create_task(batcher.submit(0))
        await squarer.began.wait()
        with pytest.raises(OverloadedError) as caught:
            batcher.admit(1, Terms(deadline=time.monotonic() + 30))
        batcher.admit(1, Terms(deadline=time.monotonic() + 300))
        squarer.gate.set()
        await first
        return [caught.value.reason]

    assert with_batcher(scenario) == ["age"]


def test_a_passed_deadline_is_not_admitted() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> None:
        with pytest.raises(DeadlineError):
            batcher.admit(1, Terms(deadline=time.monotonic() - 1))

    with_batcher(scenario)


def test_waiting_bytes_are_bounded() -> None:
    async def main() -> list[object]:
        squarer = Squarer()
        batcher = Batcher[int, int](squarer.run, 1, 10, max_waiting_bytes=100, weigh=lambda number: number)
        batcher.start()
        calls = [(60, INTERACTIVE), (50, INTERACTIVE), (40, INTERACTIVE)]
        outcomes = await behind_a_running_batch(batcher, squarer, calls)
        assert (await batcher.submit(100))[0] == 10000  # what has run weighs nothing any more
        await batcher.close()
        return outcomes

    heavy, refused, light = asyncio.run(main())

    assert isinstance(heavy, tuple)
    assert isinstance(light, tuple)
    assert isinstance(refused, OverloadedError)
    assert refused.reason == "bytes"


def test_a_failure_of_the_machine_is_not_tried_again() -> None:
    tried = []

    async def fail(numbers: Sequence[int]) -> list[int]:
        tried.append(list(numbers))
        raise MachineError

    async def main() -> list[object]:
        batcher = Batcher[int, int](fail, 4, 10)
        calls = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
        await asyncio.sleep(0)
        batcher.start()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        await batcher.close()
        return list(outcomes)

    outcomes = asyncio.run(main())

    assert tried == [[0, 1, 2]]
    assert all(isinstance(outcome, MachineError) for outcome in outcomes)


def test_batchers_of_one_device_run_in_turns() -> None:
    order: list[str] = []

    async def main() -> None:
        turn, batchers = asyncio.Lock(), {}
        for name in ("pose", "reid"):

            async def run(numbers: Sequence[int], name: str = name) -> Sequence[int]:
                order.append(name)
                await asyncio.sleep(0)
                return numbers

            batchers[name] = Batcher[int, int](run, 1, 10, turn=turn)
        calls = [asyncio.create_task(batchers["pose"].submit(number)) for number in range(3)]
        calls += [asyncio.create_task(batchers["reid"].submit(number)) for number in range(3)]
        await asyncio.sleep(0)
        for batcher in batchers.values():
            batcher.start()
        await asyncio.gather(*calls)
        for batcher in batchers.values():
            await batcher.close()

    asyncio.run(main())

    assert order == ["pose", "reid"] * 3


@given(
    leaving=st.dictionaries(st.integers(0, 19), st.integers(0, 12), max_size=12),
    poison=st.sets(st.integers(0, 19), max_size=2),
    max_batch=st.integers(1, 8),
)
def test_callers_that_leave_at_any_moment_disturb_nobody(
    leaving: dict[int, int], poison: set[int], max_batch: int
) -> None:
    numbers = [13 if index in poison else 100 + index for index in range(20)]

    async def slow(batch: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        if 13 in batch:
            raise ValueError("13")
        await asyncio.sleep(0)
        return [number * number for number in batch]

    async def main() -> list[object]:
        batcher = Batcher[int, int](slow, max_batch, 100, weigh=lambda number: number)
        batcher.start()
        calls = [asyncio.create_task(batcher.submit(number)) for number in numbers]
        for moment in range(13):
            for index in (index for index, when in leaving.items() if when == moment):
                calls[index].cancel()
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        await batcher.close()
        assert (batcher.waiting, batcher.running) == (0, 0)
        return list(outcomes)

    for index, outcome in enumerate(asyncio.run(main())):
        if index in leaving and isinstance(outcome, asyncio.CancelledError):
            continue
        if index in poison:
            assert isinstance(outcome, ValueError)
        else:
            assert isinstance(outcome, tuple)
            assert outcome[0] == numbers[index] ** 2


def test_closing_waits_for_the_batch_that_runs_and_lets_nobody_in() -> None:
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> None:
        squarer.gate.clear()
        running = asyncio.create_task(batcher.submit(7))
        await squarer.began.wait()
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(ClosedError):
            await batcher.submit(1)
        squarer.gate.set()
        await closing
        assert (await running)[0] == 49

    with_batcher(scenario)


def test_a_close_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def main() -> list[object]:
        squarer = Squarer()
        squarer.gate.clear()
        batcher = Batcher[int, int](squarer.run, 1, 10)
        batcher.start()
        calls = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
        await squarer.began.wait()
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        closing.cancel()
        return list(await asyncio.gather(*calls, return_exceptions=True))

    assert all(isinstance(outcome, ClosedError) for outcome in asyncio.run(main()))
