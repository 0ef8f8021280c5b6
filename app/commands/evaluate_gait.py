"""`gaitkeeper evaluate gait`: errors of ages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.console import fail
from app.commands.evaluate_options import AsJson, Device, Model, mirrored_or_not, open_checkpoint
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoint import Checkpoint

Rows = dict[str, dict[str, float]]


def gait(
    data: Annotated[
        str,
        typer.Option(
            help="OULP-Age (GEI_IDList_test.txt, Age_gender_info.csv, GEI/*.png); synthetic:SEED:COUNT, walkers; or"
            " silhouettes without ages, a folder or zip file of SUBJECT/VIEW_TAKE/*.png as in CASIA-A."
        ),
    ],
    model: Model,
    weights_dir: WeightsDir = None,
    split: Annotated[Literal["test", "train"], typer.Option(help="Half of OULP-Age.")] = "test",
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps rendered walkers.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print the mean absolute error in years, and the share of people at most 1, 5 and 10 years off.

    Where the checkpoint has an interval, also how often it holds the true age, and how wide it usually is. Of real
    silhouettes without ages, print how the ages are spread that the network tells, view by view.
    """
    from models.checkpoint import CheckpointError

    try:
        checkpoint, network = open_checkpoint(model, "gait", weights_dir, device)
        rows, source = measure_gait(checkpoint, network, data, split, cache)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    flip = mirrored_or_not(checkpoint.preprocessing.flip)
    say_table(f"{model}, {flip}; {source}; MAE and widths in years, the rest in percent", rows, as_json)


def measure_gait(
    checkpoint: "Checkpoint", network: "nn.Module", data: str, split: str = "test", cache: Path | None = None
) -> tuple[Rows, str]:
    """The rows of the table that fits the data, and what was read."""
    from training.gait_release import measure
    from training.gait_sequences import is_casia
    from training.gait_sets import load_geis

    if is_casia(Path(data)):
        return _spread(Path(data), checkpoint, network)
    seen = checkpoint.preprocessing
    walks = load_geis(data, split, seen.size, cache)
    name = "walkers" if data.startswith("synthetic:") else split
    return {name: measure(network, walks, checkpoint.interval, checkpoint.gender, seen.flip)}, walks.source


def _spread(path: Path, checkpoint: "Checkpoint", network: "nn.Module") -> tuple[Rows, str]:
    import numpy as np

    from models.ordinal import ordinal_ages
    from training.gait_evaluation import answers
    from training.gait_sequences import load_casia

    seen = checkpoint.preprocessing
    walks = load_casia(path, seen.size)
    ages, views = ordinal_ages(answers(network, walks.geis, seen.flip).age_logits).numpy(), np.array(walks.views)
    rows: Rows = {}
    for view in sorted(set(walks.views)):
        told = ages[views == view]
        spread = zip((5, 25, 50, 75, 95), np.percentile(told, (5, 25, 50, 75, 95)), strict=True)
        rows[f"view {view}"] = {"walks": len(told)} | {f"{share} % below, years": float(age) for share, age in spread}
    return rows, walks.source
