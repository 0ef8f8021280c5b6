"""What all kinds of `gaitkeeper evaluate` have in common."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.weights_intake import chosen_folder

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoint import Checkpoint

Model = Annotated[str, typer.Option(help="Checkpoint of the manifest.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: the accelerator where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")]


def open_checkpoint(model: str, task: str, weights_dir: Path | None, device: str) -> "tuple[Checkpoint, nn.Module]":
    """A checkpoint of the manifest and its network on a device.

    Raises:
        CheckpointError: the manifest or the weights are missing or do not fit.
        ValueError: there is no such checkpoint, it is for another task, or there is no such device.
    """
    import torch

    from models.checkpoint import load_network, read_manifest

    folder = chosen_folder(weights_dir)
    checkpoints = read_manifest(folder)
    if model not in checkpoints:
        raise ValueError(f"there is no checkpoint {model!r}; the manifest has {', '.join(sorted(checkpoints))}")
    checkpoint = checkpoints[model]
    if checkpoint.task != task:
        raise ValueError(f"{model} is a checkpoint for {checkpoint.task}, not for {task}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # Papers were measured in full single precision, of which TF32 keeps 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    network = load_network(checkpoint, folder)
    try:
        return checkpoint, network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device} cannot be used: {error}") from error


def mirrored_or_not(flip: bool) -> str:
    """How a table says whether the flip test was on."""
    return f"{'with' if flip else 'without'} the mirrored picture"
