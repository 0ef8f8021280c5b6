"""`gaitkeeper train …`: training of the served networks."""

import typer

from app.commands.train_gait import gait
from app.commands.train_pose import pose
from app.commands.train_reid import reid

train = typer.Typer(no_args_is_help=True, help="Train a network.")
train.command()(reid)
train.command()(pose)
train.command()(gait)


@train.callback()
def _group() -> None:
    """Train a network."""
