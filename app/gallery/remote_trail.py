"""The audit trail of a database by URL, read while a service uses it."""

from app.gallery import audit
from app.gallery.audit import AuditEntry
from app.gallery.remote import snapshot


def read_remote_log(url: str, after: int) -> list[AuditEntry]:
    """The audit entries of a database after a number.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        BrokenChainError: an entry does not fit the one before it.
        StorageFailure: the database cannot be read.
    """
    with snapshot(url) as connection:
        audit.verify(connection)
        return list(audit.read_entries(connection, after))
