"""`gaitkeeper weights …`: the checkpoints of the manifest."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say

weights = typer.Typer(no_args_is_help=True, help="Look after checkpoints.")

WeightsDir = Annotated[Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the bundled one")]


@weights.command(name="list")
def list_(weights_dir: WeightsDir = None) -> None:
    """List the checkpoints of the manifest."""
    from models.checkpoint import CheckpointError, bundled_weights_dir, read_manifest

    try:
        checkpoints = read_manifest(weights_dir or bundled_weights_dir())
    except CheckpointError as error:
        fail(str(error))
    for checkpoint in checkpoints.values():
        say(f"{checkpoint.name:28} {checkpoint.task:6} {checkpoint.network:20} {checkpoint.licence}")


@weights.command()
def verify(weights_dir: WeightsDir = None) -> None:
    """Check the hash of every checkpoint file, and that each one fits its network exactly."""
    from models.checkpoint import CheckpointError, bundled_weights_dir, load_network, read_manifest

    folder = weights_dir or bundled_weights_dir()
    try:
        for checkpoint in read_manifest(folder).values():
            load_network(checkpoint, folder)
            say(f"{checkpoint.name}: sha256 and parameters fit")
    except CheckpointError as error:
        fail(str(error))


@weights.command()
def release(
    run: Annotated[Path, typer.Option(help="Folder that `gaitkeeper train reid` wrote.")],
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")],
    train: Annotated[list[Path], typer.Option(help="The run's data folders, in the same order; repeatable.")],
    test: Annotated[list[str], typer.Option(help="Data folder to measure on, FOLDER or FOLDER:BOXES; repeatable.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")],
    trained_on: Annotated[list[str], typer.Option(help="Data set for the manifest; repeatable.")],
    commercial_use: Annotated[bool, typer.Option(help="Whether the licence allows it.")] = False,
    notes: Annotated[str, typer.Option(help="What it cannot do.")] = "",
    weights_dir: WeightsDir = None,
) -> None:
    """Turn a finished re-ID run into a checkpoint: threshold, measured figures, golden sample, manifest entry."""
    from models.checkpoint import bundled_weights_dir
    from training.release import load_test_set, release_reid

    try:
        test_sets = [load_test_set(Path(path), boxes or None) for path, _, boxes in (t.partition(":") for t in test)]
        entry = {
            "licence": licence,
            "commercial_use": commercial_use,
            "trained_on": trained_on,
            "notes": notes,
        }
        written = release_reid(run, name, train, test_sets, weights_dir or bundled_weights_dir(), entry)
    except (ValueError, OSError) as error:
        fail(str(error))
    for data, row in written["measured"].items():
        say(f"{data}: " + ", ".join(f"{key} {100 * value:.1f} %" for key, value in row.items()))
    threshold = written["threshold"]
    say(f"threshold {threshold['similarity']} at false-match rate {threshold['false_match_rate']}")
