"""The database of the records: connections, transactions, and the promise that acknowledged means on disk."""

import fcntl
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.gallery import audit
from app.gallery.errors import StorageFailure
from app.gallery.ownership import Ownership, prepare_postgres
from app.gallery.upgrades import prepare_tables
from app.gallery.watermark import check_mark, write_mark

DATABASE_FILE = "gallery.sqlite3"
"""Of SQLite, in a data directory."""
BUSY_TIMEOUT_MS = 1_000
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
)

# After a failed fsync nobody knows what is on the disk: the system may drop what it could not write, and say the next
# time that all is well.
LOST_WRITES = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)

log = logging.getLogger("gaitkeeper")


class Database:
    """One database, opened by one process.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        StorageFailure: it cannot be opened, has lost changes, or holds tables of another release.
    """

    def __init__(self, url: str) -> None:
        serializer = partial(json.dumps, ensure_ascii=False, allow_nan=False)
        parsed = _parsed(url)
        self._embedded = parsed.get_backend_name() == "sqlite"
        self._file = _private_file(parsed) if self._embedded else None
        # A server may have been restarted since a connection was last used.
        self._engine = create_engine(parsed, json_serializer=serializer, pool_pre_ping=not self._embedded)
        # SQLite has one writer at a time and polls for its turn; waiting here is fair and costs nothing.
        self._writing = threading.Lock()
        self._closed = False
        self._residue = False
        self._distrusted = False
        self._owner: Ownership | None = None
        if self._embedded:
            _prepare_sqlite(self._engine)
        else:
            prepare_postgres(self._engine)
            self._owner = Ownership(self._engine)
        try:
            with self.write() as connection:
                prepare_tables(connection)
                if self._owner:
                    self._owner.register(connection)
        except BaseException:
            self.close()
            raise
        # An erasure may have been killed before it could do this.
        self.scrub()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the records throughout."""
        engine = self._open()
        if not self._embedded:
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with _as_storage_failure(), engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that excludes other writers; it is on disk when the block has ended without an exception.

        Once the disk has failed to keep what it was given, there are no more writes until the process is restarted.
        """
        self._open()
        with self._writing, _as_storage_failure():
            if self._distrusted:
                raise StorageFailure("the disk has lost what was written to it; repair it and restart the service")
            with self._watching(), self._transaction() as connection:
                yield connection
                reached = audit.latest(connection) if self._file else None
            if self._file and reached:
                write_mark(self._file, reached)
            if self._residue:
                self._truncate_wal()

    def scrub(self) -> None:
        """Take what was erased out of the write-ahead log too.

        A reader of an older state, or the disk, can prevent it for a while; then the next writer does it.
        """
        if self._embedded:
            with self._writing:
                self._truncate_wal()

    def close(self) -> None:
        """Close all connections; the database refuses work from now on."""
        with self._writing:
            self._closed = True
            if self._owner:
                self._owner.close()
            self._engine.dispose()

    def _transaction(self) -> AbstractContextManager[Connection]:
        if self._owner:
            return self._owner.transaction()
        return self._engine.execution_options(begin="IMMEDIATE").begin()

    def _open(self) -> Engine:
        if self._closed:
            raise StorageFailure("the galleries are closed")
        return self._engine

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            origin = error.orig if isinstance(error, DBAPIError) else error
            self._distrusted |= getattr(origin, "sqlite_errorcode", None) in LOST_WRITES
            raise

    def _truncate_wal(self) -> None:
        """Never raises: what was committed before is to be answered."""
        reason = "until its readers have finished"
        try:
            with self._watching(), closing(self._engine.raw_connection()) as connection:
                cursor = connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                [(busy, _, _)] = cursor.fetchall()
                cursor.close()
                self._residue = bool(busy)
        except (DBAPIError, sqlite3.Error) as error:
            self._residue, reason = True, f"because of its disk: {error}"
        if self._residue:
            log.warning("erased records stay in the write-ahead log %s", reason)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, ImportError) as error:
        raise StorageFailure(f"the database URL cannot be used: {error}") from error
    return parsed


def _private_file(url: URL) -> Path | None:
    """The file of a database, which is whole, or new and for its owner only."""
    if url.database in (None, "", ":memory:"):
        return None
    file = Path(str(url.database))
    check_mark(file)
    try:
        file.touch(mode=0o600)
    except OSError as error:
        raise StorageFailure(f"{file} cannot be used: {error.strerror}") from error
    return file


def _prepare_sqlite(engine: Engine) -> None:
    """Replace the driver's implicit transactions, which begin too late, by our own."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's connection has no common type
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")


@contextmanager
def _as_storage_failure() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise StorageFailure(f"the records cannot be used: {reason}") from error


class DirectoryLock:
    """Holds a directory against a second process, whose changes this one would not see, until closed or killed.

    Args:
        directory: made, for the owner only, if it is not there.

    Raises:
        StorageFailure: another process holds it, or it cannot be written to.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(directory / "gallery.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageFailure(f"galleries cannot be kept in {directory}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise StorageFailure(f"another process uses the galleries in {directory}") from None

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)
