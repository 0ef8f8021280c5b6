"""Who enrolled, queried and erased what, as a chain in which nothing can be changed unnoticed.

No picture and no embedding is in it. Functions that take a connection run within the caller's transaction, so that a
change and its entry are on disk together or not at all.
"""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    cast,
    insert,
    select,
)

from app.gallery.schema import galleries, metadata

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

LAST = select(audit_entries.c.sequence, audit_entries.c.hash).order_by(audit_entries.c.sequence.desc()).limit(1)

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


EMPTY = Chain(0, BEGINNING)


@dataclass(frozen=True)
class Deed:
    """What is to be entered; see `AuditEntry`."""

    at: float
    actor: str
    action: str
    gallery: str | None
    identity_id: str | None
    detail: dict[str, Any]


def latest(connection: Connection) -> Chain:
    """How far the chain has come, by its last entry alone."""
    row = connection.execute(LAST).one_or_none()
    return Chain(*row) if row else EMPTY


def append(connection: Connection, *deeds: Deed) -> None:
    """Enter what was done at the end of the chain; the transaction has to exclude other writers."""
    end = latest(connection)
    sequence, head = end.entries, end.head
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
    """All entries after a number, in order.

    Raises:
        BrokenChainError: one cannot be read, or there is none at all although there are galleries.
    """
    # As text, so that what is no JSON is met here and not by the driver.
    columns = [cast(one, Text).label(one.name) if one is audit_entries.c.detail else one for one in audit_entries.c]
    wanted = select(*columns).where(audit_entries.c.sequence > after).order_by(audit_entries.c.sequence)
    # Of a damaged file everything before the damage is wanted; a lot that is read at once fails as a whole.
    at_once = 1 if connection.dialect.name == "sqlite" else READ_AT_ONCE
    found = False
    with connection.execute(wanted.execution_options(yield_per=at_once)) as rows:
        for row in rows:
            found = True
            yield _entry(row)
    if not found and not after and connection.scalar(select(galleries.c.key).limit(1)) is not None:
        raise BrokenChainError(1, "is missing")


def _entry(row: Row[Any]) -> AuditEntry:
    try:
        return AuditEntry(**dict(row._mapping) | {"detail": json.loads(row.detail)})
    except (TypeError, ValueError) as error:
        raise BrokenChainError(row.sequence, f"cannot be read: {error}") from error


def followed(entries: Iterable[AuditEntry], chain: Chain = EMPTY) -> Iterator[AuditEntry]:
    """Those entries of a trail that follow a chain, each checked against the one before it.

    Args:
        entries: in order; those before the end of the chain are passed over.
        chain: how the trail began.

    Raises:
        BrokenChainError: an entry does not fit, or the trail does not reach the end of the chain.
    """
    count, head = chain.entries, chain.head
    reached = not count
    for entry in entries:
        if entry.sequence < chain.entries:
            continue
        if entry.sequence == chain.entries:
            if entry.hash != chain.head:
                raise BrokenChainError(entry.sequence, "is another")
            reached = True
            continue
        count += 1
        if entry.sequence != count:
            raise BrokenChainError(count, "is missing")
        head = _checked_hash(entry, head)
        reached = True
        yield entry
    if not reached:
        raise BrokenChainError(chain.entries, "is missing")


def verify(connection: Connection) -> Chain:
    """Compute every hash again.

    Raises:
        BrokenChainError: an entry does not fit the one before it, or there is none although there are galleries.
    """
    chain = EMPTY
    with closing(read_entries(connection)) as entries:
        for entry in followed(entries):
            chain = Chain(entry.sequence, entry.hash)
    return chain


def _checked_hash(entry: AuditEntry, before: str) -> str:
    try:
        digest = _hash(entry, before)
    except (TypeError, ValueError) as error:
        raise BrokenChainError(entry.sequence, f"cannot be read: {error}") from error
    if entry.hash != digest:
        raise BrokenChainError(entry.sequence, "was changed, or an earlier one was replaced")
    return digest


def _hash(entry: AuditEntry, before: str) -> str:
    content = vars(entry) | {"hash": before}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
