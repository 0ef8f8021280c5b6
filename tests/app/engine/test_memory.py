import asyncio
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from app.engine.memory import halve_when_out_of_memory
from app.engine.runner import Runner


class SmallDevice:
    """Doubles rows, but has memory for a few only."""

    def __init__(self, room: int) -> None:
        self.room, self.sizes = room, list[int]()

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError
        return batch * 2


def run(device: SmallDevice, count: int) -> Sequence[Tensor]:
    runner = Runner(device, torch.device("cpu"))
    try:
        items = [torch.full((2,), float(number)) for number in range(count)]
        return asyncio.run(_run(runner, items))
    finally:
        runner.close()


async def _run(runner: Runner, items: Sequence[Tensor]) -> Sequence[Tensor]:
    return await halve_when_out_of_memory(runner.run)(items)


@pytest.mark.parametrize(("count", "sizes"), [(8, [8, 4, 4]), (4, [4]), (7, [7, 4, 3])])
def test_a_batch_that_does_not_fit_runs_in_halves(count: int, sizes: list[int]) -> None:
    device = SmallDevice(room=4)

    rows = run(device, count)

    assert [row[0].item() for row in rows] == [2.0 * number for number in range(count)]
    assert device.sizes == sizes


def test_it_is_tried_once_more_and_not_for_ever() -> None:
    device = SmallDevice(room=1)

    with pytest.raises(torch.OutOfMemoryError):
        run(device, 8)

    assert device.sizes == [8, 4]


def test_a_single_item_that_does_not_fit_fails_at_once() -> None:
    device = SmallDevice(room=0)

    with pytest.raises(torch.OutOfMemoryError):
        run(device, 1)

    assert device.sizes == [1]
