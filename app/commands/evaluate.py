"""`gaitkeeper evaluate …`: the tables of the papers, on data that you have."""

import typer

from app.commands.evaluate_detection import detection
from app.commands.evaluate_gait import gait
from app.commands.evaluate_gei import gei
from app.commands.evaluate_open_set import open_set
from app.commands.evaluate_pose import pose
from app.commands.evaluate_reid import reid

evaluate = typer.Typer(no_args_is_help=True, help="Measure a checkpoint on a data set.")
evaluate.command()(detection)
evaluate.command()(reid)
evaluate.command(name="open-set")(open_set)
evaluate.command()(pose)
evaluate.command()(gait)
evaluate.command()(gei)


@evaluate.callback()
def _group() -> None:
    """Measure a checkpoint on a data set."""
