import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.batcher import Batcher, OverloadedError

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
    async def scenario(batcher: Batcher[int, int], squarer: Squarer) -> int:
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
