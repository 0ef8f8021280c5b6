"""`gaitkeeper weights release-gait`: a finished gait run becomes a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir, chosen_folder


def release_gait(
    run: Annotated[Path, typer.Option(help="Folder that `gaitkeeper train gait` wrote.")],
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")],
    calibrate: Annotated[
        str,
        typer.Option(help="To fit the interval on: synthetic:SEED:COUNT, or OULP-Age, of which the held-out walks."),
    ],
    test: Annotated[list[str], typer.Option(help="To measure on: synthetic:SEED:COUNT, or OULP-Age; repeatable.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")],
    trained_on: Annotated[list[str], typer.Option(help="Data set for the manifest; repeatable.")],
    commercial_use: Annotated[bool, typer.Option(help="Whether the licence allows it.")] = False,
    notes: Annotated[str, typer.Option(help="What it cannot do.")] = "",
    level: Annotated[float, typer.Option(min=0.5, max=0.99, help="How often the interval holds the true age.")] = 0.9,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps rendered walkers.")] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """Turn a finished gait run into a checkpoint: interval, measured figures, golden sample, manifest entry."""
    from models.checkpoint import CheckpointError
    from training.drafts import draft_checkpoint
    from training.gait_release import calibration_walks, read_card
    from training.gait_release import release_gait as release
    from training.gait_sets import load_geis

    try:
        card = read_card(run)
        size = tuple(card["recipe"]["input_size"])
        walks = calibration_walks(card, calibrate, cache)
        tests = [load_geis(data, "test", size, cache) for data in test]
        draft = draft_checkpoint("gait", name, licence, commercial_use, trained_on, notes)
        written = release(run, draft, walks, tests, chosen_folder(weights_dir), level)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{name}, with the mirrored picture; MAE in years, the rest in percent", written.measured)
    assert written.interval is not None
    say(f"interval of level {written.interval.level}: margin {written.interval.margin} years")
