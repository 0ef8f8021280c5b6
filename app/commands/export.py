"""`gaitkeeper export`: a network as a file for other machines, checked, with a card that says how to use it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.console import fail, reason_of, say
from app.commands.weights_intake import folder_with_manifest

Format = Literal["onnx", "openvino", "torch-export"]


def export(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="Checkpoint of the manifest.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; made if it is not there.")],
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = "onnx",
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the bundled one")
    ] = None,
) -> None:
    """Write a network and its preprocessing card, after its answers were compared with torch's."""
    # Torch takes seconds to import; other commands should not wait for it.
    from models.checkpoint import CheckpointError
    from models.manifest import find_checkpoint
    from models.runtimes.compiled import RuntimeUnusableError
    from models.runtimes.files import write_files

    folder = folder_with_manifest(weights_dir)
    try:
        for path in write_files(find_checkpoint(name, folder), folder, format_, out):
            say(str(path))
    except (CheckpointError, RuntimeUnusableError, OSError) as error:
        fail(reason_of(error))
