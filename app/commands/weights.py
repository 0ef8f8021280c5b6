"""`gaitkeeper weights …`: the checkpoints of the manifest."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.console import fail, say
from app.commands.release_gait import release_gait
from app.commands.release_pose import release_pose
from app.commands.weights_intake import WeightsDir, chosen_folder, how_to_get, import_, pull

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint

weights = typer.Typer(no_args_is_help=True, help="Look after checkpoints.")
weights.command()(pull)
weights.command(name="import")(import_)
weights.command(name="release-pose")(release_pose)
weights.command(name="release-gait")(release_gait)

FIGURES = {"published": "by its authors, not measured here", "measured": "here"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@weights.command(name="list")
def list_(weights_dir: WeightsDir = None, as_json: AsJson = False) -> None:
    """List the checkpoints that are here, and the official ones that could be."""
    from models.checkpoint import CheckpointError
    from models.manifest import known_checkpoints

    folder = chosen_folder(weights_dir)
    try:
        checkpoints = known_checkpoints(folder).values()
    except CheckpointError as error:
        fail(str(error))
    if as_json:
        say(json.dumps([_described(checkpoint, folder) for checkpoint in checkpoints]))
        return
    say(_row("NAME", "TASK", "NETWORK", "STATE", "LICENCE"))
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: not checkpoint.is_available(folder)):
        state = _state(checkpoint, folder)
        say(_row(checkpoint.name, checkpoint.task, checkpoint.network, state, checkpoint.licence))
    say("here: ready to serve; pull, import: `gaitkeeper weights info NAME` says how to get it")


@weights.command()
def info(
    name: Annotated[str, typer.Argument(help="Checkpoint of the manifest.")],
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is known of a checkpoint, and how to get it."""
    from models.checkpoint import CheckpointError
    from models.manifest import find_checkpoint

    folder = chosen_folder(weights_dir)
    try:
        checkpoint = find_checkpoint(name, folder)
    except CheckpointError as error:
        fail(str(error))
    described = _described(checkpoint, folder)
    if as_json:
        say(json.dumps(described))
        return
    for key, value in described.items():
        if value in (None, "", (), {}):
            continue
        if key in FIGURES:
            say(f"{key} {FIGURES[key]}:")
            for setting, figures in value.items():
                say(f"  {setting}: {_in_words(figures)}")
        else:
            say(f"{key:18} {_in_words(value)}")


@weights.command()
def verify(weights_dir: WeightsDir = None) -> None:
    """Check the hash of every checkpoint file that should be here, and that each one fits its network exactly."""
    from models.checkpoint import CheckpointError, load_network, read_manifest

    folder = chosen_folder(weights_dir)
    try:
        checkpoints = read_manifest(folder).values()
    except CheckpointError as error:
        fail(str(error))
    absent = [c for c in checkpoints if c.is_official and not c.is_available(folder)]
    wrong = []
    for checkpoint in checkpoints:
        if checkpoint in absent:
            continue
        try:
            load_network(checkpoint, folder)
            say(f"{checkpoint.name}: sha256 and parameters fit")
        except CheckpointError as error:
            say(f"{checkpoint.name}: WRONG: {error}")
            wrong.append(checkpoint.name)
    if absent:
        say(f"{len(absent)} official checkpoints are not here; `gaitkeeper weights list` names them")
    if wrong:
        fail(f"not what the manifest says: {', '.join(wrong)}")


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
    from training.drafts import draft_checkpoint
    from training.release import load_test_set, release_reid

    try:
        test_sets = [load_test_set(Path(path), boxes or None) for path, _, boxes in (t.partition(":") for t in test)]
        draft = draft_checkpoint("reid", name, licence, commercial_use, trained_on, notes)
        written = release_reid(run, draft, train, test_sets, chosen_folder(weights_dir))
    except (ValueError, OSError) as error:
        fail(str(error))
    for data, row in written.measured.items():
        say(f"{data}: " + ", ".join(f"{key} {100 * value:.1f} %" for key, value in row.items()))
    assert written.threshold is not None
    say(f"threshold {written.threshold.similarity} at false-match rate {written.threshold.false_match_rate}")


def _row(name: str, task: str, network: str, state: str, licence: str) -> str:
    return f"{name:36} {task:14} {network:22} {state:8} {licence}"


def _state(checkpoint: "Checkpoint", folder: Path) -> str:
    """Whether a checkpoint is here, and if not, which command brings it."""
    from models.fetch import needs_browser

    if checkpoint.is_available(folder):
        return "here"
    if not checkpoint.is_official:
        return "missing"
    return "import" if needs_browser(checkpoint.origin) else "pull"


def _described(checkpoint: "Checkpoint", folder: Path) -> dict[str, Any]:
    state = _state(checkpoint, folder)
    how = how_to_get(checkpoint) if state in ("pull", "import") else ""
    values = asdict(checkpoint)
    return {"name": values.pop("name"), "state": state, "how_to_get": how, **values}


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(part) for part in value)
    return str(value)
