"""A database by URL: read as it is at one moment while a service uses it, and filled from files."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, create_engine, event, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.gallery.audit import audit_entries
from app.gallery.database import Database
from app.gallery.errors import StorageFailure
from app.gallery.schema import SCHEMA_VERSION, galleries, metadata, openings, schema_versions

# Those of the records alone are this package's.
KEYS_TABLE = "api_keys"
# What a database says of itself is not part of what is in it.
OWN = (schema_versions, openings)
ROWS_AT_ONCE = 1000


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """A transaction that sees one state throughout, and keeps nobody from writing.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        StorageFailure: the database cannot be read.
    """
    try:
        engine = create_engine(url, isolation_level="REPEATABLE READ")
        try:
            with engine.connect().execution_options(postgresql_readonly=True) as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise StorageFailure(f"the database cannot be read: {reason}") from error


def copy_to_files(url: str, records: Path, keys: Path) -> None:
    """Write what a database holds into SQLite files; that of the keys only if there are any.

    Args:
        url: as SQLAlchemy takes it.
        records, keys: that are not there yet, in a folder of the caller's.

    Raises:
        StorageFailure: the database cannot be read, or is of another release.
    """
    with snapshot(url) as source:
        _check_release(source)
        with closing(Database(f"sqlite:///{records}")) as database, database.write() as target:
            _copy(source, target, _tables())
        if inspect(source).has_table(KEYS_TABLE):
            _copy_keys(source, f"sqlite:///{keys}")


def fill(url: str, records: Path, keys: Path | None) -> None:
    """Put what files hold into a database without galleries; all of it or nothing.

    Args:
        url: as SQLAlchemy takes it.
        records, keys: that `copy_to_files` wrote, or a service that keeps its galleries in files.

    Raises:
        StorageFailure: there are galleries already, a service uses the database, or it fails.
    """
    with closing(Database(url)) as database, database.write() as target:
        there = select(func.count()).select_from(galleries), select(func.count()).select_from(audit_entries)
        if any(target.scalar(count) for count in there):
            raise StorageFailure("the database has galleries, or a trail of some; restore into an empty one")
        with snapshot_of_file(records) as source:
            _copy(source, target, _tables())
        for table in _tables():
            _continue_numbers(target, table)
        if keys is not None:
            with snapshot_of_file(keys) as source:
                _copy_table_of_keys(source, target)


@contextmanager
def snapshot_of_file(path: Path) -> Iterator[Connection]:
    """A file of SQLite that nobody else uses."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _check_release(source: Connection) -> None:
    if not inspect(source).has_table(schema_versions.name):
        raise StorageFailure("the database has no galleries")
    found = source.scalar(select(schema_versions.c.version))
    if found != SCHEMA_VERSION:
        raise StorageFailure(f"its tables are of version {found}; this release knows {SCHEMA_VERSION}")


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table not in OWN]


def _copy(source: Connection, target: Connection, tables: Iterable[Table]) -> None:
    for table in tables:
        # In the order of their numbers, so that the copy is the same whatever the database.
        rows = source.execute(select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE))
        for some in rows.partitions():
            target.execute(insert(table), [dict(row._mapping) for row in some])


def _copy_keys(source: Connection, url: str) -> None:
    engine = create_engine(url)
    try:
        with engine.begin() as target:
            _copy_table_of_keys(source, target)
    finally:
        engine.dispose()


def _copy_table_of_keys(source: Connection, target: Connection) -> None:
    known = MetaData()
    event.listen(
        known, "column_reflect", lambda inspector, table, column: column.update(type=column["type"].as_generic())
    )
    known.reflect(source, only=[KEYS_TABLE])
    known.create_all(target)
    _copy(source, target, known.sorted_tables)


def _continue_numbers(target: Connection, table: Table) -> None:
    """Rows that come later get higher numbers; a server does not see numbers that it did not give itself."""
    (column, *_) = table.primary_key
    if target.dialect.name != "postgresql" or not column.autoincrement:
        return
    sequence = target.scalar(
        text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": table.name, "column": column.name}
    )
    highest = target.scalar(select(func.max(column)))
    if sequence and highest:
        target.execute(
            text("SELECT setval(CAST(:sequence AS regclass), :highest)"), {"sequence": sequence, "highest": highest}
        )
