import asyncio

import pytest
import torch
from torch import Tensor

from app.engine.runner import Runner, bucket, choose_device

CPU = torch.device("cpu")


class Doubler:
    """Doubles rows and remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        return batch * 2


@pytest.mark.parametrize("items", [1, 3, 8])
def test_a_cpu_computes_no_more_than_what_was_asked_for(items: int) -> None:
    doubler = Doubler()
    runner = Runner(doubler, CPU)

    rows = asyncio.run(runner.run([torch.full((3,), float(item)) for item in range(items)]))
    runner.close()

    assert doubler.sizes == [items]
    assert [row.tolist() for row in rows] == [[2.0 * item] * 3 for item in range(items)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize(("items", "padded"), [(1, 1), (3, 4), (5, 8), (8, 8)])
def test_batches_of_a_gpu_are_padded_to_few_sizes_and_the_padding_is_cut_off(items: int, padded: int) -> None:
    doubler = Doubler()
    runner = Runner(doubler, torch.device("cuda"))

    for start in (0, 100):
        rows = runner.run_now([torch.full((3,), float(start + item)) for item in range(items)])
        assert [row.tolist() for row in rows] == [[2.0 * (start + item)] * 3 for item in range(items)]
    runner.close()

    assert doubler.sizes == [padded] * 2


@pytest.mark.parametrize(("items", "padded"), [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8), (9, 16)])
def test_a_bucket_is_the_next_power_of_two(items: int, padded: int) -> None:
    assert bucket(items) == padded


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told_by_name() -> None:
    assert choose_device("auto") == CPU
    with pytest.raises(ValueError, match="no GPU is usable"):
        choose_device("cuda")
