"""How commands speak: results on standard output, errors on standard error with exit code 1."""

from typing import NoReturn

import typer


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    typer.echo(line)


def fail(reason: str) -> NoReturn:
    """Print why the command cannot go on, and end it with exit code 1."""
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(1)
