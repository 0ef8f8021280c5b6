"""How commands speak: results on standard output, errors on standard error with exit code 1 or 2."""

from typing import NoReturn

import typer


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    typer.echo(line)


def warn(reason: str) -> None:
    """Print on standard error what the command goes on in spite of."""
    typer.echo(f"warning: {reason}", err=True)


def fail(reason: str) -> NoReturn:
    """Print why the command cannot go on, and end it with exit code 1."""
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(1)


def refuse(reason: str) -> NoReturn:
    """Print what is wrong with what the command was given, and end it with exit code 2, as for an unknown option."""
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(2)


def reason_of(error: Exception) -> str:
    """What an error says; the file and the cause, where the system gave one."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename2 or error.filename}: {error.strerror}"
    return str(error)
