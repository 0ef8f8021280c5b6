import asyncio

import pytest
import torch
from torch import Tensor

from app.engine.runner import Runner, choose_device

CPU = torch.device("cpu")


class Doubler:
    """Doubles rows and remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        return batch * 2


@pytest.mark.parametrize(("items", "bucket"), [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8)])
def test_batches_are_padded_to_few_sizes_and_the_padding_is_cut_off(items: int, bucket: int) -> None:
    doubler = Doubler()
    runner = Runner(doubler, CPU)

    rows = asyncio.run(runner.run([torch.full((3,), float(item)) for item in range(items)]))
    runner.close()

    assert doubler.sizes == [bucket]
    assert [row.tolist() for row in rows] == [[2.0 * item] * 3 for item in range(items)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told_by_name() -> None:
    assert choose_device("auto") == CPU
    with pytest.raises(ValueError, match="no GPU is usable"):
        choose_device("cuda")
