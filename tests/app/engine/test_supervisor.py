import asyncio
from collections.abc import Sequence

import pytest

from app.engine.batcher import Batcher
from app.engine.supervisor import MOST_LOSSES, Supervisor, WorkerLostError


class Doubler:
    """Doubles numbers; hangs on 13, and its thread ends on 14."""

    def __init__(self) -> None:
        self.closed: bool | None = None

    async def run(self, items: Sequence[int]) -> Sequence[int]:
        if 13 in items:
            await asyncio.Event().wait()
        if 14 in items:
            raise SystemExit
        if 15 in items:
            raise TimeoutError("the item's own")
        return [2 * item for item in items]

    def close(self, wait: bool = True) -> None:
        self.closed = wait


class Workshop:
    """Builds doublers and keeps them."""

    def __init__(self) -> None:
        self.built: list[Doubler] = []

    def build(self) -> Doubler:
        self.built.append(Doubler())
        return self.built[-1]


@pytest.mark.parametrize("deadly", [13, 14], ids=["hangs", "ends"])
def test_a_lost_worker_is_replaced_and_work_goes_on(deadly: int) -> None:
    workshop = Workshop()

    async def main() -> Sequence[int]:
        supervisor = Supervisor[int, int](workshop.build, 0.02, "net")
        with pytest.raises(WorkerLostError, match="net"):
            await supervisor.run([1, deadly])
        results = await supervisor.run([1, 2])
        supervisor.close()
        return results

    assert asyncio.run(main()) == [2, 4]
    assert [worker.closed for worker in workshop.built] == [False, True]


def test_an_items_own_error_loses_no_worker() -> None:
    workshop = Workshop()

    async def main() -> None:
        with pytest.raises(TimeoutError, match="the item's own"):
            await Supervisor[int, int](workshop.build, None, "net").run([15])

    asyncio.run(main())

    assert len(workshop.built) == 1


def test_after_many_losses_in_a_row_no_more_threads_are_wasted() -> None:
    workshop = Workshop()

    async def main() -> None:
        supervisor = Supervisor[int, int](workshop.build, 0.01, "net")
        for _ in range(MOST_LOSSES):
            with pytest.raises(WorkerLostError):
                await supervisor.run([13])
        with pytest.raises(WorkerLostError, match="restart"):
            await supervisor.run([1])

    asyncio.run(main())

    assert len(workshop.built) == MOST_LOSSES + 1


def test_the_callers_of_a_hung_batch_are_told_and_the_next_are_served() -> None:
    async def main() -> tuple[object, int]:
        supervisor = Supervisor[int, int](Doubler, 0.02, "net")
        batcher = Batcher[int, int](supervisor.run, 4, 10)
        batcher.start()
        (lost,) = await asyncio.gather(batcher.submit(13), return_exceptions=True)
        result, _ = await batcher.submit(4)
        await batcher.close()
        return lost, result

    lost, result = asyncio.run(main())

    assert isinstance(lost, WorkerLostError)
    assert result == 8
