"""The `gaitkeeper` command."""

import typer

from app.commands.demo import demo
from app.commands.evaluate import evaluate
from app.commands.serve import serve
from app.commands.train import train
from app.commands.weights import weights

main = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Person re-ID, pose and gait age.")
main.command()(serve)
main.command()(demo)
main.add_typer(weights, name="weights")
main.add_typer(train, name="train")
main.add_typer(evaluate, name="evaluate")
