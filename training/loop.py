"""What every training loop needs: progress, rates, moving averages, curves, and a state to resume from."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

TensorList = tuple[Tensor, ...] | list[Tensor]


def one_cycle_learning_rate(progress: float, highest: float, warm_up: float = 0.1) -> float:
    """Learning rate after a share of the training: cosine up from a 25th, cosine down to almost nothing."""
    if progress < warm_up:
        return highest * (1 - 0.96 * (1 + math.cos(math.pi * progress / warm_up)) / 2)
    return highest * max(1e-4, (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters of an optimizer one rate, times the factor of their group if it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """A moving average of a network's weights and statistics; None without decay.

    At first the average is shorter, as TensorFlow's is: in a run of a thousand steps a decay of 0.999 from the first
    step on would keep a third of the weights it started from.
    """
    if not decay:
        return None

    def keep(averages: TensorList, values: TensorList, updates: Tensor | int) -> None:
        warmed_up = min(decay, (1 + int(updates)) / (10 + int(updates)))
        get_ema_multi_avg_fn(warmed_up)(averages, values, updates)  # type: ignore[no-untyped-call]

    return AveragedModel(network, multi_avg_fn=keep, use_buffers=True)


def watched_epochs(first: int, last: int) -> Iterator[int]:
    """Count from the first epoch to the one before the last under a progress bar."""
    columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("training", total=last, completed=first)
        for epoch in range(first, last):
            yield epoch
            progress.update(task, completed=epoch + 1)


def append_csv(path: Path, columns: Sequence[str], figures: Mapping[str, float]) -> None:
    """Add a line of figures to a table, which gets its head with its first line; what is not given stays empty."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in figures.items()})


def save_state(
    path: Path,
    recipe: Mapping[str, Any],
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> None:
    """Write what `load_state` resumes from, whole or not at all."""
    state = {
        "recipe": json.dumps(recipe),
        "network": network.state_dict(),
        "average": average.state_dict() if average is not None else None,
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
    }
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.replace(path)


def load_state(
    path: Path,
    recipe: Mapping[str, Any],
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
) -> int:
    """Resume a run: the epoch to go on with, 0 where there is no file yet.

    Raises:
        ValueError: the file belongs to a run of another recipe.
    """
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != json.dumps(recipe):
        raise ValueError(f"{path} belongs to another recipe; remove it or choose another folder")
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    if average is not None:
        average.load_state_dict(state["average"])
    return int(state["epoch"])
