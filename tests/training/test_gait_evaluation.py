"""Ages out of gait energy images, and their table."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.glcnn import GLCNNOutput
from tests.training.layouts import write_oulp_age
from training.gait_datasets import load_oulp_age
from training.gait_evaluation import estimate_ages, evaluate_gait


class LeftBrightness(nn.Module):
    """Tells an age from the mean of a picture's left half, in hundredths; notes what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.thresholds = nn.Parameter(torch.arange(100) / 100)
        self.shown: list[Tensor] = []

    def forward(self, geis: Tensor) -> GLCNNOutput:
        self.shown.append(geis)
        mean = geis[..., : geis.shape[3] // 2].mean(dim=(1, 2, 3))
        return GLCNNOutput(mean, mean[:, None] - self.thresholds, mean)


def test_the_table_is_mae_and_cumulative_scores(tmp_path: Path) -> None:
    data = load_oulp_age(write_oulp_age(tmp_path, {"1": 30, "2": 40, "3": 50, "4": 60}))

    scores = evaluate_gait(data, lambda paths: np.array([30.0, 41, 45, 80]))

    assert scores.mae == 6.5
    assert (scores.cs1, scores.cs5, scores.cs10) == (0.5, 0.75, 0.75)


@pytest.mark.parametrize("size", [(128, 88), (64, 44)])
def test_pictures_reach_the_network_in_its_size_and_in_fractions(tmp_path: Path, size: tuple[int, int]) -> None:
    data = load_oulp_age(write_oulp_age(tmp_path, {"1": 30, "2": 40, "3": 50}))
    network = LeftBrightness()

    ages = estimate_ages(network, size, data.paths, batch_size=2)

    assert [tuple(batch.shape) for batch in network.shown] == [(2, 1, *size), (1, 1, *size)]
    assert 0 <= float(network.shown[0].min()) < float(network.shown[0].max()) <= 1
    assert ages.tolist() == [50, 50, 50]  # the picture grows brighter downwards, from 0 to 1


def test_the_mirrored_picture_is_averaged_in(tmp_path: Path) -> None:
    data = load_oulp_age(write_oulp_age(tmp_path, {"1": 30}))
    network = LeftBrightness()

    estimate_ages(network, (128, 88), data.paths, flip=True)

    plain, mirrored = network.shown
    assert torch.equal(mirrored, plain.flip(3))
