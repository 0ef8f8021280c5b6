"""Holding a PostgreSQL database against a second service, whose changes this one would not see."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from app.gallery.errors import StorageFailure
from app.gallery.schema import openings

# "gait": one service for each schema of a database.
LOCK = text("SELECT pg_try_advisory_lock(1734437236, hashtext(current_schema()))")
# A server may be told to lose what it acknowledged; stricter settings than "on" stay.
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"


def prepare_postgres(engine: Engine) -> None:
    """Make every commit wait for the disk."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's connection has no common type
        with connection.cursor() as cursor:
            cursor.execute(DURABLE)
        connection.commit()


class Ownership:
    """Everything is written over one connection, to which the lock belongs: without the lock nothing can be written.

    If the connection is lost, another one is made, unless another service has used the database meanwhile.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._opening: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of the owner; one at a time.

        Raises:
            StorageFailure: another service owns the database, or has owned it since.
        """
        connection = self._connection or self._take()
        try:
            with connection.begin():
                yield connection
        except DBAPIError as error:
            if error.connection_invalidated:
                self.close()
            raise

    def close(self) -> None:
        """Give it up."""
        if self._connection is not None:
            # The lock goes with the session, which a pool would keep.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def register(self, connection: Connection) -> None:
        """Enter the opening; to be called once, when there are tables."""
        number = (connection.scalar(select(func.max(openings.c.number))) or 0) + 1
        connection.execute(insert(openings).values(number=number))
        self._opening = number

    def _take(self) -> Connection:
        connection = self._engine.connect()
        try:
            with connection.begin():
                if not connection.scalar(LOCK):
                    raise StorageFailure("another process uses the galleries of this database")
                if (
                    self._opening is not None
                    and connection.scalar(select(func.max(openings.c.number))) != self._opening
                ):
                    raise StorageFailure("another process has used the galleries of this database; restart the service")
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection
        return connection
