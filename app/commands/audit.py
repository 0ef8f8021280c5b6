"""`gaitkeeper audit …`: who did what."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.settings import with_driver

if TYPE_CHECKING:
    from app.gallery.logs import Log

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

    Entries cut off at the end are noticed by the mark beside the database, and with a head that was kept elsewhere.
    """
    log = _read(data_dir, database_url)
    if log.broken is not None:
        fail(f"the trail is broken: {log.broken}")
    entries = log.entries
    if head and head not in {entry.hash for entry in entries}:
        fail(f"the chain is in order, but {head} is not in it: its end was cut off or replaced")
    say(f"{len(entries)} entries, in order; head {entries[-1].hash if entries else '-'}")


@audit.command()
def show(
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
    after: Annotated[int, typer.Option(help="Number of the last entry seen already.")] = 0,
) -> None:
    """Print the entries, one JSON object a line: a log for `gaitkeeper restore`.

    Of a damaged trail those before the damage are printed, and the exit code is 1.
    """
    log = _read(data_dir, database_url)
    for entry in log.entries[after:]:
        say(json.dumps(asdict(entry), ensure_ascii=False))
    if log.broken is not None:
        fail(f"the trail breaks off after entry {len(log.entries)}: {log.broken}")


def _read(data_dir: Path, database_url: str | None) -> "Log":
    from app.gallery.errors import StorageFailure
    from app.gallery.logs import readable_log

    try:
        return readable_log(with_driver(database_url) if database_url is not None else data_dir)
    except (StorageFailure, OSError) as error:
        fail(str(error))
