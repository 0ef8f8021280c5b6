import asyncio
from collections.abc import Sequence

import pytest

from app.engine.sweep import choose, fastest_size


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({1: 40, 2: 50, 4: 61, 8: 67, 16: 58}, 8),
        ({1: 30, 2: 30, 4: 31, 8: 30, 16: 31}, 8),
        ({1: 10, 2: 9, 4: 7, 8: 5, 16: 5}, 1),
        ({1: 40, 2: 80, 4: 160, 8: 300, 16: 500, 32: 800, 64: 700}, 32),
        ({1: 4, 2: 5}, 8),
    ],
    ids=["eight is best", "all alike", "one is best", "more is better", "too slow to try eight"],
)
def test_eight_run_together_unless_another_size_is_clearly_faster(rates: dict[int, float], chosen: int) -> None:
    assert choose(rates) == chosen


def test_every_size_up_to_the_largest_is_tried_and_warmed() -> None:
    sizes: list[int] = []

    async def run(items: Sequence[str]) -> Sequence[str]:
        sizes.append(len(items))
        return items

    asyncio.run(fastest_size(run, "picture", 16, "network"))

    assert list(dict.fromkeys(sizes)) == [1, 2, 4, 8, 16]
    assert sizes.count(16) > 1


def test_the_usual_size_gets_another_chance_when_the_machine_was_busy() -> None:
    eights = 0

    async def run(items: Sequence[str]) -> Sequence[str]:
        nonlocal eights
        eights += len(items) == 8
        await asyncio.sleep(0.1 if len(items) == 8 and eights <= 2 else 0.005 * len(items))
        return items

    assert asyncio.run(fastest_size(run, "picture", 16, "network")) == 8


def test_a_network_that_cannot_run_does_not_start() -> None:
    async def run(items: Sequence[str]) -> Sequence[str]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(fastest_size(run, "picture", 16, "network"))
