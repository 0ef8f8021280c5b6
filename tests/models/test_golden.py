import numpy as np
import pytest
import torch

from models.golden import LOW_PRECISION_COSINE, agrees

GOLDEN = np.array([0.6, 0.8, 0.0], np.float32)


def test_a_row_that_points_the_same_way_agrees() -> None:
    assert agrees(torch.tensor([1.2, 1.6, 0.001]), GOLDEN)


@pytest.mark.parametrize(
    "row",
    [[0.8, 0.6, 0.0], [-0.6, -0.8, 0.0], [0.0, 0.0, 0.0], [float("nan"), 0.8, 0.0], [0.6, 0.8]],
    ids=["elsewhere", "opposite", "zeros", "not a number", "too short"],
)
def test_any_other_row_does_not(row: list[float]) -> None:
    assert not agrees(torch.tensor(row), GOLDEN)


def test_nothing_agrees_with_zeros() -> None:
    assert not agrees(torch.zeros(3), np.zeros(3, np.float32))


def test_low_precision_may_be_less_like_it() -> None:
    row = torch.tensor([0.6, 0.8, 0.05])

    assert not agrees(row, GOLDEN)
    assert agrees(row, GOLDEN, LOW_PRECISION_COSINE)
