"""Who enrolled, queried and erased what, as a chain in which nothing can be changed unnoticed.

No picture and no embedding is in it. Functions that take a connection run within the caller's transaction, so that a
change and its entry are on disk together or not at all.
"""

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Connection, Float, Integer, String, Table, insert, select

from app.gallery.schema import metadata

BEGINNING = "0" * 64
READ_AT_ONCE = 1000

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("gallery", String),
    Column("identity_id", String),
    Column("detail", JSON, nullable=False),
    Column("hash", String, nullable=False),
)

_actor: ContextVar[str] = ContextVar("actor", default="")
# Who the running task or thread works for: a key's id, an address, or nobody.
current_actor = _actor.get
set_actor = _actor.set


@dataclass(frozen=True)
class AuditEntry:
    """One thing that somebody did.

    Attributes:
        sequence: counts from 1 without gaps.
        at: seconds since 1970.
        actor: a key's id or an address; empty for the service itself.
        action: such as "enrol", "query", "erase-identity".
        gallery, identity_id: on what.
        detail: numbers and ids that belong to the action.
        hash: SHA-256 over this entry and the hash of the one before, as hexadecimal digits.
    """

    sequence: int
    at: float
    actor: str
    action: str
    gallery: str | None
    identity_id: str | None
    detail: dict[str, Any]
    hash: str = ""


class BrokenChainError(Exception):
    """An entry was changed, inserted or removed.

    Attributes:
        sequence: the first entry that does not fit.
    """

    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(f"entry {sequence} {reason}")
        self.sequence = sequence


@dataclass(frozen=True)
class Chain:
    """A whole chain.

    Attributes:
        entries: how many there are.
        head: hash of the last one. Kept elsewhere, it shows later whether the end was cut off.
    """

    entries: int
    head: str


@dataclass(frozen=True)
class Deed:
    """What is to be entered; see `AuditEntry`."""

    at: float
    actor: str
    action: str
    gallery: str | None
    identity_id: str | None
    detail: dict[str, Any]


def append(connection: Connection, *deeds: Deed) -> None:
    """Enter what was done at the end of the chain; the transaction has to exclude other writers."""
    latest = select(audit_entries.c.sequence, audit_entries.c.hash).order_by(audit_entries.c.sequence.desc()).limit(1)
    sequence, head = connection.execute(latest).one_or_none() or (0, BEGINNING)
    rows = []
    for deed in deeds:
        sequence += 1
        entry = AuditEntry(sequence, **vars(deed))
        head = _hash(entry, head)
        rows.append(vars(entry) | {"hash": head})
    if rows:
        connection.execute(insert(audit_entries), rows)


def continue_with(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Add entries of another copy of the same chain, which follow its last one, as they are."""
    if entries:
        connection.execute(insert(audit_entries), [vars(entry) for entry in entries])


def read_entries(connection: Connection, after: int = 0) -> Generator[AuditEntry, None, None]:
    """All entries after a number, in order."""
    wanted = select(audit_entries).where(audit_entries.c.sequence > after).order_by(audit_entries.c.sequence)
    with connection.execute(wanted.execution_options(yield_per=READ_AT_ONCE)) as rows:
        for row in rows:
            yield AuditEntry(**row._mapping)


def verify(connection: Connection) -> Chain:
    """Compute every hash again.

    Raises:
        BrokenChainError: an entry does not fit the one before it.
    """
    count, head = 0, BEGINNING
    with closing(read_entries(connection)) as entries:
        for entry in entries:
            count += 1
            if entry.sequence != count:
                raise BrokenChainError(count, "is missing")
            head = _hash(entry, head)
            if entry.hash != head:
                raise BrokenChainError(count, "was changed, or an earlier one was replaced")
    return Chain(count, head)


def _hash(entry: AuditEntry, before: str) -> str:
    content = vars(entry) | {"hash": before}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
