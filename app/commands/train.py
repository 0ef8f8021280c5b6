"""`gaitkeeper train …`: training of the served networks."""

import typer

from app.commands.train_reid import reid

train = typer.Typer(no_args_is_help=True, help="Train a network.")
train.command()(reid)


@train.callback()
def _group() -> None:
    """Train a network."""
