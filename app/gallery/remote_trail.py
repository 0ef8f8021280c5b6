"""The audit trail of a database by URL, read while a service uses it."""

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from app.gallery import audit
from app.gallery.audit import AuditEntry
from app.gallery.errors import StorageFailure


def read_remote_log(url: str, after: int) -> list[AuditEntry]:
    """The audit entries of a database after a number.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        BrokenChainError: an entry does not fit the one before it.
        StorageFailure: the database cannot be read.
    """
    try:
        engine = create_engine(url, isolation_level="REPEATABLE READ")
        try:
            with engine.begin() as connection:
                audit.verify(connection)
                return list(audit.read_entries(connection, after))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise StorageFailure(f"the audit trail cannot be read: {reason}") from error
