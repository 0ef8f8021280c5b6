"""`gaitkeeper backup` and `gaitkeeper restore`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.settings import with_driver

if TYPE_CHECKING:
    from app.gallery.audit import AuditEntry

DataDir = Annotated[Path, typer.Option(help="Data folder of the service.", envvar="GAITKEEPER_DATA_DIR")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Database of the service, if it has one.", envvar="GAITKEEPER_DATABASE_URL")
]


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.")],
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
) -> None:
    """Copy all galleries and keys into one file, while the service runs or not."""
    from app.gallery.backup import BackupError, make_backup
    from app.gallery.errors import GalleryError

    try:
        card = make_backup(data_dir, file, with_driver(database_url) if database_url else None)
    except (BackupError, GalleryError, OSError) as error:
        fail(str(error))
    say(f"wrote {file}, {file.stat().st_size} bytes")
    say(f"audit trail: {card.chain.entries} entries, head {card.chain.head}")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `gaitkeeper backup` wrote.")],
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
    log: Annotated[
        str | None,
        typer.Option(
            help="Data folder, or URL of the database, that was in use since, or what `gaitkeeper audit show` printed:"
            " what was erased there is erased again."
        ),
    ] = None,
) -> None:
    """Put a backup into an empty data folder or database; everything in it is checked first."""
    from app.gallery.backup import BackupError, restore_backup
    from app.gallery.errors import GalleryError

    url = with_driver(database_url) if database_url else None
    try:
        restored = restore_backup(file, data_dir, _log(log), url)
    except (BackupError, GalleryError, OSError) as error:
        fail(str(error))
    place = "the database" if url else data_dir
    say(f"restored {restored.galleries} galleries with {restored.shots} shots into {place}")
    if log is None:
        say("people who were erased after the backup are back; with --log they would not be")
    else:
        say(f"{restored.forgotten} erasures since the backup were carried out again")
        say(_told_by(restored.heeded))


def _told_by(last: "AuditEntry | None") -> str:
    if last is None:
        return "the log tells of nothing after the backup"
    until = datetime.fromtimestamp(last.at, UTC).isoformat(timespec="seconds")
    return f"the log was heeded up to its end, entry {last.sequence} of {until}"


def _log(log: str | None) -> Path | str | None:
    if log is None:
        return None
    return with_driver(log) if "://" in log else Path(log)
