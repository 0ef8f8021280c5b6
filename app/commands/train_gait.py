"""`gaitkeeper train gait`: an ordinal decomposition of the age, with a loss on its distribution."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say
from app.commands.parsing import parse_size


def gait(
    data: Annotated[
        str, typer.Option(help="synthetic:SEED:COUNT, rendered walkers; or the folder of OULP-Age, its training half.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to; an interrupted run in it is resumed.")],
    input_size: Annotated[str, typer.Option(help="HEIGHTxWIDTH of the gait energy images.")] = "64x44",
    num_ages: Annotated[int, typer.Option(min=1, help="Oldest age that can be told.")] = 90,
    distribution_weight: Annotated[
        float, typer.Option(min=0, help="Of the ordinal distribution loss; 0 leaves the cross-entropy alone.")
    ] = 1.0,
    gender_weight: Annotated[float, typer.Option(min=0, help="Of the cross-entropy of the gender.")] = 0.1,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the walks.")] = 20,
    batch_size: Annotated[int, typer.Option(min=1, help="Walks a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(min=0, help="Decoupled.")] = 0.05,
    ema_decay: Annotated[float, typer.Option(min=0, max=1, help="Moving average of the weights; 0 is off.")] = 0.999,
    held_out: Annotated[
        int, typer.Option(min=0, help="Walks kept out, to watch progress and fit intervals on.")
    ] = 1000,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps rendered walkers for the next run.")] = None,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs between evaluations on held-out walks.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every random choice.")] = 0,
) -> None:
    """Train GL-CNN to tell ages from gait energy images, of rendered walkers or of OULP-Age.

    The result, `model.safetensors` with `card.json` and `curves.csv`, is in OUT.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    from training.gait import GaitRecipe
    from training.gait import train as train_gait
    from training.gait_sets import load_geis

    try:
        recipe = GaitRecipe(
            input_size=parse_size(input_size),
            num_ages=num_ages,
            distribution_weight=distribution_weight,
            gender_weight=gender_weight,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            held_out=held_out,
            seed=seed,
        )
        walks = load_geis(data, "train", recipe.input_size, cache)
        path = train_gait(walks, recipe, out, shlex.join(["gaitkeeper", *sys.argv[1:]]), say, validate_every)
    except (ValueError, OSError, FloatingPointError) as error:
        fail(str(error))
    say(f"wrote {path}")
    say(json.dumps(json.loads((out / "card.json").read_text())))
