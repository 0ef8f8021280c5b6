"""`gaitkeeper train reid`: identity classification plus batch-hard triplets."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say


def reid(
    data: Annotated[list[Path], typer.Option(help="Data set folder; repeatable. Market-1501 layout or index.csv.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; an interrupted run in it is resumed.")],
    network: Annotated[str, typer.Option(help="Network to train.")] = "rga_sc_resnet50",
    input_size: Annotated[str, typer.Option(help="HEIGHTxWIDTH of the crops; RRID's is fixed.")] = "256x128",
    width: Annotated[int, typer.Option(help="Channels of the host network's stem.")] = 64,
    schedule: Annotated[str, typer.Option(help="rga or rrid (the papers' recipes), or one-cycle.")] = "rga",
    epochs: Annotated[int, typer.Option(help="Passes in which each identity comes once.")] = 600,
    ids_per_batch: Annotated[int, typer.Option(help="Identities in a batch.")] = 16,
    images_per_id: Annotated[int, typer.Option(help="Images of each identity in a batch.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 8e-4,
    weight_decay: Annotated[float, typer.Option(help="L2 (rga) or decoupled (one-cycle).")] = 5e-4,
    margin: Annotated[float, typer.Option(help="Triplet margin; negative is the soft margin.")] = 0.3,
    colour_jitter: Annotated[float, typer.Option(help="Brightness, contrast, saturation in 1 +- this.")] = 0.0,
    erase_probability: Annotated[float, typer.Option(help="How often a rectangle of a crop is erased.")] = 0.5,
    recolour_probability: Annotated[float, typer.Option(help="How often a batch swaps its colour channels.")] = 0.0,
    ema_decay: Annotated[float, typer.Option(help="Moving average of the weights; 0 is off.")] = 0.0,
    held_out: Annotated[int, typer.Option(help="Identities kept out, to watch progress and fit thresholds.")] = 0,
    init: Annotated[
        str, typer.Option(help="Safetensors file to start from, but for its head; for RGA also its host's.")
    ] = "",
    validate_every: Annotated[int, typer.Option(help="Epochs between evaluations on held-out identities.")] = 20,
    seed: Annotated[int, typer.Option(help="Fixes every random choice.")] = 0,
) -> None:
    """Train a re-identification network: smoothed cross-entropy plus batch-hard triplets.

    The defaults are the recipe of the RGA paper; RRID's is `--network rrid_resnet50 --schedule rrid --epochs 80
    --learning-rate 0.01 --margin 1.2`. The result, `model.safetensors` with `card.json` and `curves.csv`,
    is in OUT.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    from training.datasets import concatenate, load_reid
    from training.reid import ReidRecipe
    from training.reid import train as train_reid

    try:
        height, width_ = (int(part) for part in input_size.split("x"))
    except ValueError:
        fail(f"--input-size is {input_size!r}; write it as HEIGHTxWIDTH, for example 256x128")
    recipe = ReidRecipe(
        network=network,
        arguments={} if network.startswith("rrid") else {"input_size": (height, width_), "width": width},
        schedule=schedule,
        epochs=epochs,
        ids_per_batch=ids_per_batch,
        images_per_id=images_per_id,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        margin=None if margin < 0 else margin,
        colour_jitter=colour_jitter,
        erase_probability=erase_probability,
        ema_decay=ema_decay,
        held_out=held_out,
        recolour_probability=recolour_probability,
        init=init,
        seed=seed,
    )
    try:
        images = concatenate([load_reid(folder, "train") for folder in data])
        command = shlex.join(["gaitkeeper", *sys.argv[1:]])
        path = train_reid(images, recipe, out, command, say, validate_every)
    except (ValueError, OSError, FloatingPointError) as error:
        fail(str(error))
    say(f"wrote {path}")
    say(json.dumps(json.loads((out / "card.json").read_text())["recipe"]))
