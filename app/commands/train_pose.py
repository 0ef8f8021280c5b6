"""`gaitkeeper train pose`: heatmaps of Stacked Hourglass networks on Leeds Sports Pose."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say


def pose(
    data: Annotated[Path, typer.Option(help="Leeds Sports Pose: joints.csv or joints.mat, and the pictures.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; an interrupted run in it is resumed.")],
    network: Annotated[str, typer.Option(help="Network to train.")] = "hourglass_bearpaw",
    stacks: Annotated[int, typer.Option(min=1, help="Hourglasses, one after the other.")] = 2,
    channels: Annotated[int, typer.Option(min=4, help="Width of the hourglasses.")] = 128,
    input_size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 64.")] = 128,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the persons.")] = 60,
    batch_size: Annotated[int, typer.Option(min=1, help="Persons in a batch.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="Highest rate of AdamW's one-cycle schedule.")] = 2e-3,
    weight_decay: Annotated[float, typer.Option(help="Decoupled.")] = 0.01,
    sigma: Annotated[float, typer.Option(help="Of the target's Gaussians, in heatmap pixels.")] = 1.25,
    location_weight: Annotated[float, typer.Option(help="Of the location's cross-entropy at first.")] = 5.0,
    degrees: Annotated[float, typer.Option(help="Largest turn of a crop.")] = 40.0,
    scale: Annotated[float, typer.Option(min=1, help="Largest factor a crop is enlarged or shrunk by.")] = 1.35,
    shift: Annotated[float, typer.Option(help="Largest shift of a crop, as a share of its side.")] = 0.08,
    colour: Annotated[float, typer.Option(help="Brightness, contrast, saturation, channels in 1 +- this.")] = 0.25,
    cover_probability: Annotated[float, typer.Option(help="How often a rectangle is painted over.")] = 0.3,
    ema_decay: Annotated[float, typer.Option(help="Moving average of the weights; 0 is off.")] = 0.999,
    held_out: Annotated[int, typer.Option(min=0, help="Persons kept out, to watch progress.")] = 200,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs between evaluations on held-out persons.")] = 5,
    seed: Annotated[int, typer.Option(help="Fixes every random choice.")] = 0,
) -> None:
    """Train a pose network with supervision of every stack.

    The result is `model.safetensors` with `card.json` and `curves.csv`.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    from training.lsp_datasets import load_lsp
    from training.pose import PoseTrainingRecipe
    from training.pose import train as train_pose

    recipe = PoseTrainingRecipe(
        network=network,
        arguments={"num_stacks": stacks, "channels": channels},
        size=input_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        sigma=sigma,
        location_weight=location_weight,
        degrees=degrees,
        scale=scale,
        shift=shift,
        colour=colour,
        cover_probability=cover_probability,
        ema_decay=ema_decay,
        held_out=held_out,
        seed=seed,
    )
    try:
        command = shlex.join(["gaitkeeper", *sys.argv[1:]])
        path = train_pose(load_lsp(data), recipe, out, command, say, validate_every)
    except (ValueError, OSError, FloatingPointError) as error:
        fail(str(error))
    say(f"wrote {path}")
