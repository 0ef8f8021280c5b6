import asyncio

import pytest

from app.engine.together import together


def test_results_come_in_order() -> None:
    async def double(number: int) -> int:
        for _ in range(5 - number):
            await asyncio.sleep(0)
        return 2 * number

    async def main() -> list[int]:
        return await together(*(double(number) for number in range(5)))

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("cancelled", [False, True], ids=["one fails", "the caller goes"])
def test_no_part_is_left_behind(cancelled: bool) -> None:
    ended = []

    async def wait(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    async def fail() -> None:
        if cancelled:
            await asyncio.Event().wait()
        raise ValueError

    async def main() -> BaseException | None:
        whole = asyncio.create_task(together(wait(1), fail(), wait(2)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if cancelled:
            whole.cancel()
        (outcome,) = await asyncio.gather(whole, return_exceptions=True)
        await asyncio.sleep(0)
        return outcome if isinstance(outcome, BaseException) else None

    outcome = asyncio.run(main())

    assert isinstance(outcome, asyncio.CancelledError if cancelled else ValueError)
    assert sorted(ended) == [1, 2]
