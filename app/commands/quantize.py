"""`gaitkeeper quantize`: a network in int8, by the ranges that the user's own pictures give it."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, reason_of, refuse, say
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir, folder_with_manifest


def quantize(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="Checkpoint of the manifest.")],
    data: Annotated[
        list[str],
        typer.Option(
            help="Pictures like those that will be served: a folder of persons' crops; for poses also COCO or LSP; for"
            " gait the data of `evaluate gait`. Given once."
        ),
    ],
    pictures: Annotated[int, typer.Option(min=40, help="So many are drawn; a fifth is held back to compare with.")] = (
        320
    ),
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to.", show_default="the weights', where the service looks")
    ] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """Write NETWORK.int8.onnx, which GAITKEEPER_PRECISION=int8 serves, and say how far its answers lie from fp32's.

    The pictures are not kept: only the range of what goes into each layer is. `gaitkeeper evaluate precision
    --precision int8` then says what it costs in accuracy.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    from models.checkpoint import CheckpointError, load_network
    from models.manifest import find_checkpoint
    from models.runtimes.int8_files import int8_path
    from models.runtimes.quantising import FEWEST, write_int8
    from training.network_inputs import network_inputs

    folder = folder_with_manifest(weights_dir)
    target = out or folder
    if len(data) > 1:
        refuse("--data is given more than once; put the pictures into one folder, whose subfolders are read too")
    if target.exists() and not target.is_dir():
        refuse(f"--out {target} is a file; give a folder, which is made if it is not there")
    try:
        checkpoint = find_checkpoint(name, folder)
        images = network_inputs(checkpoint, load_network(checkpoint, folder), data[0], pictures)
        if len(images) < FEWEST:
            raise ValueError(f"--data {data[0]} has {len(images)} pictures; int8 needs at least {FEWEST}")
    except (CheckpointError, ValueError, OSError) as error:
        refuse(reason_of(error))
    try:
        figures = write_int8(checkpoint, folder, images, target)
    except (CheckpointError, ValueError, OSError) as error:
        fail(reason_of(error))
    say_table(f"{name}: int8 and fp32, on {len(images) // 5} pictures held back", {"answers": figures})
    say(str(int8_path(checkpoint, target)))
