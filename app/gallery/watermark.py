"""How far a database of SQLite had come, in a line beside it.

SQLite takes the first damaged frame of its write-ahead log for the end of it, and an empty or missing file for a new
database, without a word. So a file beside the database names the last entry of its audit trail. It is written after
every commit, and nobody waits for the disk: it outlives a killed process, and is never ahead of the records, which had
to be on the disk before it was written.
"""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

from app.gallery.audit import EMPTY, Chain
from app.gallery.errors import StorageFailure

SUFFIX = "-mark"

log = logging.getLogger("gaitkeeper")


def is_begun(database: Path) -> bool:
    """Whether there is anything in the file of a database."""
    return database.is_file() and database.stat().st_size > 0


def mark_of(database: Path) -> Path:
    """The file with the mark of a database."""
    return database.with_name(database.name + SUFFIX)


def write_mark(database: Path, chain: Chain) -> None:
    """Say how far a database has come. Never raises: what was committed is to be answered."""
    try:
        descriptor = os.open(mark_of(database), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # In place and always of one length, so that a full disk has room for it.
            os.pwrite(descriptor, _line(chain), 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s is behind the records because of its disk: %s", mark_of(database), error.strerror)


def read_mark(database: Path) -> Chain | None:
    """How far a database had come, if that is known; a damaged mark is told and counts for nothing."""
    path = mark_of(database)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailure(f"{path} cannot be read: {error.strerror}") from error
    try:
        number, head, _ = content.decode().split()
        chain = Chain(int(number), head)
    except ValueError:
        chain = EMPTY
    if _line(chain) == content:
        return chain
    log.warning("%s is damaged: whether the records have lost changes is not known", path)
    return None


def check_mark(database: Path) -> None:
    """Refuse a database that has not come as far as its mark says; writes nothing, and removes nothing.

    Raises:
        StorageFailure: it has lost changes, or cannot be read.
    """
    mark = read_mark(database)
    if mark is None:
        _check_log(database)
        return
    found = _chain_up_to(database, mark.entries)
    if found == mark:
        return
    if found.entries == mark.entries:
        what = f"is not the one that was used last: entry {mark.entries} of its audit trail is another"
    else:
        where = f"ends with entry {found.entries} of its audit trail" if is_begun(database) else "is empty or missing"
        lost = mark.entries - found.entries
        what = f"{where}, and had come to entry {mark.entries}: changes or queries lost: {lost}"
    rest = "go on with what is there" if is_begun(database) else "begin anew"
    choice = f"restore a backup into another folder, or remove {mark_of(database)} to {rest}"
    raise StorageFailure(f"{database} {what}; {choice}")


def _check_log(database: Path) -> None:
    # SQLite clears away the log of an empty database. It may be all that is left of the records.
    log_file = database.with_name(f"{database.name}-wal")
    if not is_begun(database) and is_begun(log_file):
        raise StorageFailure(
            f"{database} is empty or missing, and its log {log_file} is not: changes were lost; restore a backup into"
            " another folder, or remove the log to begin anew"
        )


def _line(chain: Chain) -> bytes:
    text = f"{chain.entries:020} {chain.head}".encode()
    return b"%s %08x\n" % (text, crc32(text))


def _chain_up_to(database: Path, entries: int) -> Chain:
    # Opened for writing, SQLite would clear away a log whose database is empty, and what follows damage in one.
    if not is_begun(database):
        return EMPTY
    wanted = "SELECT sequence, hash FROM audit_entries WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1"
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(wanted, (entries,)).fetchone()
    except sqlite3.Error as error:
        raise StorageFailure(f"the records cannot be used: {error}") from error
    return Chain(*row) if row else EMPTY
