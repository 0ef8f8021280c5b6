"""The parts of every training loop, one by one."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.loop import append_csv, load_state, moving_average, one_cycle_learning_rate, save_state


def test_the_one_cycle_rate_rises_and_falls_without_a_jump() -> None:
    rates = np.array([one_cycle_learning_rate(step / 1000, 1.0) for step in range(1001)])

    assert rates[0] == pytest.approx(0.04)
    assert rates.max() == pytest.approx(1, abs=1e-3)
    assert rates[-1] == pytest.approx(1e-4)
    assert np.abs(np.diff(rates)).max() < 0.02


def test_figures_that_are_not_given_leave_their_cell_empty(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"

    append_csv(path, ("epoch", "loss", "mAP"), {"epoch": 1, "loss": 0.5})
    append_csv(path, ("epoch", "loss", "mAP"), {"epoch": 2, "loss": 0.25, "mAP": 1 / 3})

    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["mAP"] for row in rows] == ["", "0.333333"]
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_a_moving_average_follows_slowly_statistics_included() -> None:
    network = nn.BatchNorm1d(1)
    average = moving_average(network, 0.1)
    assert average is not None

    average.update_parameters(network)
    with torch.no_grad():
        network.weight.fill_(5)
        network.get_buffer("running_mean").fill_(4)
    average.update_parameters(network)

    assert average.module.get_parameter("weight").item() == pytest.approx(0.1 * 1 + 0.9 * 5)
    assert average.module.get_buffer("running_mean").item() == pytest.approx(0.1 * 0 + 0.9 * 4)
    assert moving_average(network, 0) is None


def test_a_moving_average_soon_forgets_the_weights_it_started_from() -> None:
    network = nn.BatchNorm1d(1)
    average = moving_average(network, 0.999)
    assert average is not None

    average.update_parameters(network)
    with torch.no_grad():
        network.weight.fill_(5)
    for _ in range(100):
        average.update_parameters(network)

    assert average.module.get_parameter("weight").item() == pytest.approx(5, abs=1e-3)


def test_a_run_goes_on_where_it_stopped_and_refuses_another_recipe(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    network, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer, fresh = (torch.optim.AdamW(net.parameters()) for net in (network, other))
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()

    assert load_state(path, {"epochs": 9}, other, None, fresh) == 0
    save_state(path, {"epochs": 9}, network, None, optimizer, epoch=3)

    assert load_state(path, {"epochs": 9}, other, None, fresh) == 3
    assert torch.equal(other.weight, network.weight)
    assert len(fresh.state_dict()["state"]) == 2
    with pytest.raises(ValueError, match="belongs to another recipe"):
        load_state(path, {"epochs": 10}, other, None, fresh)
