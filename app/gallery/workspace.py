"""Folders for work that may be killed, which nothing of it outlives for long."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BACKUP, RESTORE = ".backup-", ".restore-"


@contextmanager
def workspace(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder for its owner alone, removed afterwards; first those go that killed processes have left beside it.

    Args:
        prefix: BACKUP or RESTORE.
    """
    remove_leftovers(parent)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        held = os.open(folder, os.O_RDONLY)
        try:
            # The system lets go when the process ends, however it ends. Some network drives lock no folders.
            with suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(held)


def remove_leftovers(parent: Path) -> None:
    """Remove the workspaces that killed processes have left in a folder, and none in which somebody works."""
    for folder in parent.iterdir():
        if folder.name.startswith((BACKUP, RESTORE)) and folder.is_dir() and not folder.is_symlink():
            held = os.open(folder, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            os.close(held)
