"""API keys at rest: their hashes, scopes and galleries, in SQL."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    JSON,
    Column,
    Float,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.access.callers import Scope
from app.access.secrets import KeyText, hash_secret, new_key

_metadata = MetaData()
_keys = Table(
    "api_keys",
    _metadata,
    Column("key_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("galleries", JSON),
    Column("created_at", Float(53), nullable=False),
    Column("revoked_at", Float(53)),
)


@dataclass(frozen=True)
class Key:
    """One API key without its secret.

    Attributes:
        key_id: names it.
        name: who holds it, for people.
        hash: see `secrets.hash_secret`.
        scopes: what it allows.
        galleries: where; None is everywhere.
        created_at, revoked_at: seconds since 1970; None is "not revoked".
    """

    key_id: str
    name: str
    hash: str
    scopes: frozenset[Scope]
    galleries: frozenset[str] | None
    created_at: float
    revoked_at: float | None


class UnusableKeysError(ValueError):
    """The database of the keys cannot be opened."""


class KeyStore:
    """The keys of one service. Changes are seen by running servers at their next request.

    Args:
        url: of a database, as SQLAlchemy takes it.

    Raises:
        UnusableKeysError: it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(make_url(url), pool_pre_ping=True)
        except (ArgumentError, ImportError) as error:
            raise UnusableKeysError(f"the database URL cannot be used: {error}") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _configure_sqlite)
        try:
            _metadata.create_all(self._engine)
        except DBAPIError as error:
            self._engine.dispose()
            reason = " ".join(str(error.orig).split())
            raise UnusableKeysError(f"the API keys cannot be used: {reason}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def create(self, name: str, scopes: frozenset[Scope], galleries: frozenset[str] | None) -> KeyText:
        """Make a key; its text is not kept and cannot be had again."""
        text = new_key()
        values: dict[str, Any] = {
            "key_id": text.key_id,
            "name": name,
            "hash": hash_secret(text.secret),
            "scopes": sorted(scopes),
            "galleries": None if galleries is None else sorted(galleries),
            "created_at": time.time(),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(_keys).values(values))
        return text

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._engine.begin() as connection:
            return [_key(row) for row in connection.execute(select(_keys).order_by(_keys.c.created_at, _keys.c.key_id))]

    def find(self, key_id: str) -> Key | None:
        """A key that is not revoked."""
        wanted = select(_keys).where(_keys.c.key_id == key_id, _keys.c.revoked_at.is_(None))
        with self._engine.begin() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _key(row)

    def revoke(self, key_id: str) -> bool:
        """End a key; False where there is none that is not revoked."""
        change = update(_keys).where(_keys.c.key_id == key_id, _keys.c.revoked_at.is_(None))
        with self._engine.begin() as connection:
            return connection.execute(change.values(revoked_at=time.time())).rowcount == 1

    def count(self) -> int:
        """How many keys are not revoked."""
        with self._engine.begin() as connection:
            return connection.scalar(select(func.count()).where(_keys.c.revoked_at.is_(None))) or 0


def _key(row: Any) -> Key:  # noqa: ANN401  a row's columns are known to the table alone
    return Key(
        row.key_id,
        row.name,
        row.hash,
        frozenset(Scope(name) for name in row.scopes),
        None if row.galleries is None else frozenset(row.galleries),
        row.created_at,
        row.revoked_at,
    )


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's has no common type
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
