"""`gaitkeeper audit …`: who did what."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.settings import with_driver

if TYPE_CHECKING:
    from app.gallery.audit import AuditEntry

audit = typer.Typer(no_args_is_help=True, help="The audit trail: who enrolled, queried and erased.")
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Database of the service, if it has one.", envvar="GAITKEEPER_DATABASE_URL")
]
DataDir = Annotated[Path, typer.Option(help="Data folder of the service.", envvar="GAITKEEPER_DATA_DIR")]


@audit.command()
def verify(
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
    head: Annotated[str, typer.Option(help="Hash of an entry noted earlier; it must still be in the chain.")] = "",
) -> None:
    """Check that no entry was changed, inserted or removed, and print the head of the chain.

    Entries cut off at the end are noticed only with a head that was kept elsewhere.
    """
    entries = _read(data_dir, database_url)
    if head and head not in {entry.hash for entry in entries}:
        fail(f"the chain is in order, but {head} is not in it: its end was cut off or replaced")
    say(f"{len(entries)} entries, in order; head {entries[-1].hash if entries else '-'}")


@audit.command()
def show(
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
    after: Annotated[int, typer.Option(help="Number of the last entry seen already.")] = 0,
) -> None:
    """Print the entries, one JSON object a line."""
    for entry in _read(data_dir, database_url, after):
        say(json.dumps(asdict(entry), ensure_ascii=False))


def _read(data_dir: Path, database_url: str | None, after: int = 0) -> "list[AuditEntry]":
    from app.gallery.audit import BrokenChainError
    from app.gallery.backup import BackupError, read_log
    from app.gallery.errors import StorageFailure
    from app.gallery.remote_trail import read_remote_log

    try:
        if database_url is not None:
            return read_remote_log(with_driver(database_url), after)
        return read_log(data_dir, after)
    except (BackupError, BrokenChainError, StorageFailure, OSError) as error:
        fail(str(error))
