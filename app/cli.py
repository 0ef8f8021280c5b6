"""The `gaitkeeper` command."""

import typer

from app.commands.train import train

main = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Person re-ID, pose and gait age.")
main.add_typer(train, name="train")
