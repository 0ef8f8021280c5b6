"""`gaitkeeper calibrate`: fits the default calibration of a checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.commands.evaluate_options import Device, open_checkpoint
from app.commands.weights_intake import WeightsDir, chosen_folder

if TYPE_CHECKING:
    from training.datasets import ReidImages


def calibrate(
    model: Annotated[str, typer.Argument(help="Re-identification checkpoint of the manifest.")],
    data: Annotated[list[Path], typer.Option(help="Data set folder, in a layout of `evaluate reid`; repeatable.")],
    held_out: Annotated[
        int, typer.Option(min=0, help="Identities held out of training; 0 takes the test part of the data.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the training run that held them out.")] = 0,
    weights_dir: WeightsDir = None,
    device: Device = "auto",
) -> None:
    """Fit what turns similarities into probabilities, on people that the checkpoint was not trained on.

    It is written into the manifest. A checkpoint trained here gets its calibration from `weights release`; this is for
    imported ones. A gallery can be calibrated on its own shots: POST /v1/galleries/{gallery}/calibration.
    """
    from models.checkpoint import CheckpointError
    from models.manifest import write_entry
    from training.reid_evaluation import embed
    from training.release import fit_default_calibration

    try:
        checkpoint, network = open_checkpoint(model, "reid", weights_dir, device)
        people, who = _people(data, held_out, seed)
        embeddings = embed(network, people, checkpoint.preprocessing.flip)
        calibration = fit_default_calibration(embeddings, people, who)
        if calibration is None:
            raise ValueError("these data fit no calibration: there are too few people, or nothing tells them apart")
        write_entry(chosen_folder(weights_dir), replace(checkpoint, calibration=calibration))
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say(f"{model}: {calibration.genuine} comparisons of one person, {calibration.impostors} of two; {who}")
    for target in (0.01, 0.1):
        for size in (1, 100, 10_000):
            threshold = calibration.threshold(target, size)
            missed = calibration.false_non_match_rate(threshold)
            rate = f"FPIR {100 * target:3g} % among {size:6} people"
            say(f"{rate}: similarity {threshold:.3f}, misses {100 * missed:.1f} %")


def _people(data: list[Path], held_out: int, seed: int) -> "tuple[ReidImages, str]":
    from training.datasets import concatenate, load_reid
    from training.reid_evaluation import held_out_split
    from training.release import concatenate_same

    if not held_out:
        parts = [concatenate_same(load_reid(root, "query"), load_reid(root, "gallery")) for root in data]
        people = concatenate(parts)
        return people, f"pairs among the test people of {', '.join(root.resolve().name for root in data)}"
    _, kept = held_out_split(concatenate([load_reid(root, "train") for root in data]), held_out, seed)
    assert kept is not None
    return concatenate_same(kept.query, kept.gallery), f"pairs among {held_out} identities held out of training"
