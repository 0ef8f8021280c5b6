"""`gaitkeeper quantize`: a network in int8, by the ranges that the user's own pictures give it."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir, chosen_folder


def quantize(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="Checkpoint of the manifest.")],
    data: Annotated[
        str,
        typer.Option(
            help="Pictures like those that will be served: a folder of persons' crops; for poses also COCO or LSP; for"
            " gait the data of `evaluate gait`."
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
    from models.runtimes.quantising import write_int8
    from training.network_inputs import network_inputs

    folder = chosen_folder(weights_dir)
    target = out or folder
    try:
        checkpoint = find_checkpoint(name, folder)
        images = network_inputs(checkpoint, load_network(checkpoint, folder), data, pictures)
        figures = write_int8(checkpoint, folder, images, target)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{name}: int8 and fp32, on {len(images) // 5} pictures held back", {"answers": figures})
    say(str(int8_path(checkpoint, target)))
