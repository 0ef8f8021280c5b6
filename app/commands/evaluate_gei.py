"""`gaitkeeper evaluate gei`: whether gait energy images keep what tells people apart."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail
from app.commands.evaluate_options import AsJson
from app.commands.table import say_table


def gei(
    data: Annotated[Path, typer.Option(help="CASIA-A: a folder or zip file of SUBJECT/VIEW_TAKE/*.png silhouettes.")],
    as_json: AsJson = False,
) -> None:
    """Print the share of walks whose most similar other walk, of the same view, is of the same subject."""
    from training.gait_identity import identification
    from training.gait_sequences import load_casia

    try:
        walks = load_casia(data, (128, 88))
    except (ValueError, OSError) as error:
        fail(str(error))
    say_table(f"gait energy images of {walks.source}", identification(walks), as_json)
