"""`gaitkeeper weights release-pose`: a finished pose run becomes a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir, chosen_folder


def release_pose(
    run: Annotated[Path, typer.Option(help="Folder that `gaitkeeper train pose` wrote.")],
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")],
    test: Annotated[list[Path], typer.Option(help="Data folder to measure on, LSP or COCO; repeatable.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")],
    trained_on: Annotated[list[str], typer.Option(help="Data set for the manifest; repeatable.")],
    commercial_use: Annotated[bool, typer.Option(help="Whether the licence allows it.")] = False,
    notes: Annotated[str, typer.Option(help="What it cannot do.")] = "",
    weights_dir: WeightsDir = None,
) -> None:
    """Turn a finished pose run into a checkpoint: measured figures, golden sample, manifest entry."""
    from models.checkpoint import CheckpointError
    from training.drafts import draft_checkpoint
    from training.pose_release import load_test_data
    from training.pose_release import release_pose as release

    try:
        draft = draft_checkpoint("pose", name, licence, commercial_use, trained_on, notes)
        written = release(run, draft, [load_test_data(root) for root in test], chosen_folder(weights_dir))
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{name}, with the mirrored picture", written.measured)
