"""`gaitkeeper backup` and `gaitkeeper restore`."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say

DataDir = Annotated[Path, typer.Option(help="Data folder of the service.", envvar="GAITKEEPER_DATA_DIR")]


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Copy all galleries and keys into one file, while the service runs or not."""
    from app.gallery.backup import BackupError, make_backup

    try:
        card = make_backup(data_dir, file)
    except (BackupError, OSError) as error:
        fail(str(error))
    say(f"wrote {file}, {file.stat().st_size} bytes")
    say(f"audit trail: {card.chain.entries} entries, head {card.chain.head}")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `gaitkeeper backup` wrote.")],
    data_dir: DataDir = Path("data"),
    log: Annotated[
        Path | None, typer.Option(help="Data folder that was in use since: what was erased there is erased again.")
    ] = None,
) -> None:
    """Put a backup into an empty data folder; everything in it is checked first."""
    from app.gallery.backup import BackupError, restore_backup
    from app.gallery.errors import GalleryError

    try:
        restored = restore_backup(file, data_dir, log)
    except (BackupError, GalleryError, OSError) as error:
        fail(str(error))
    say(f"restored {restored.galleries} galleries with {restored.shots} shots into {data_dir}")
    if log is None:
        say("people who were erased after the backup are back; with --log FOLDER they would not be")
    else:
        say(f"{restored.forgotten} erasures since the backup were carried out again")
