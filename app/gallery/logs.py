"""Audit trails where they are kept: in a data directory, in a database by URL, or printed, an entry a line."""

import json
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError

from app.gallery.audit import EMPTY, AuditEntry, BrokenChainError, Chain, followed, read_entries
from app.gallery.database import DATABASE_FILE
from app.gallery.errors import StorageFailure
from app.gallery.remote import snapshot
from app.gallery.watermark import check_mark, is_begun

MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True)
class Log:
    """What can be read of a trail, and trusted.

    Attributes:
        entries: in order, each checked against the one before it.
        broken: why there may have been more.
    """

    entries: list[AuditEntry]
    broken: BrokenChainError | StorageFailure | None = None


def read_log(place: Path | str, after: int = 0) -> list[AuditEntry]:
    """The entries of a trail after a number; all of them are checked.

    Args:
        place: data directory, file, or URL of a database as SQLAlchemy takes it.

    Raises:
        BrokenChainError: an entry does not fit the one before it.
        StorageFailure: there is no trail, it cannot be read, or its end is lost.
    """
    log = readable_log(place)
    if log.broken is not None:
        raise log.broken
    return log.entries[after:]


def readable_log(place: Path | str, chain: Chain = EMPTY) -> Log:
    """The entries of a trail that follow a chain, up to the first that is broken or cannot be read.

    Nothing is written where the trail is: it may be the only trace of what went wrong.

    Args:
        place: data directory, file, or URL of a database as SQLAlchemy takes it.
        chain: how the trail began.

    Raises:
        StorageFailure: there is no trail, or not what there had been.
    """
    where = place if isinstance(place, str) else _file_of(place)
    entries: list[AuditEntry] = []
    try:
        with closing(_entries(where, max(chain.entries - 1, 0))) as found:
            for entry in followed(found, chain):
                entries.append(entry)
    except (BrokenChainError, StorageFailure) as error:
        return Log(entries, error)
    return Log(entries)


def _file_of(place: Path) -> Path:
    file = place / DATABASE_FILE if place.is_dir() else place
    if not (is_begun(file) if place.is_dir() else file.is_file()):
        check_mark(file)
        raise StorageFailure(f"there is no audit trail in {place}")
    return file


def _entries(where: Path | str, after: int) -> Generator[AuditEntry, None, None]:
    if isinstance(where, str):
        with snapshot(where) as connection:
            yield from read_entries(connection, after)
    elif where.name == DATABASE_FILE or _is_database(where):
        with _read_only(where) as connection:
            yield from read_entries(connection, after)
        check_mark(where)
    else:
        yield from _printed(where, after)


def _is_database(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise StorageFailure(f"there is no audit trail in {file}: {error.strerror}") from error


@contextmanager
def _read_only(file: Path) -> Iterator[Connection]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        # Otherwise SQLite refuses a database whose end is missing, instead of reading what is there.
        connection.execute("PRAGMA writable_schema = ON")
        return connection

    engine = create_engine("sqlite://", creator=connect)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise StorageFailure(f"the records cannot be used: {reason}") from error
    finally:
        engine.dispose()


def _printed(file: Path, after: int) -> Iterator[AuditEntry]:
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = AuditEntry(**json.loads(line))
                if entry.sequence > after:
                    yield entry
            except (TypeError, ValueError) as error:
                raise StorageFailure(
                    f"line {number} of {file} is no entry of an audit trail; cut there, the file is a log up to it"
                ) from error
