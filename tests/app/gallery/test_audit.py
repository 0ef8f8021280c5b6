from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from app.gallery.audit import BEGINNING, BrokenChainError, Chain, Deed, append, audit_entries, read_entries, verify
from app.gallery.database import Database

DEED = Deed(1000.5, "key-1", "enrol", "default", "anna", {"shots": ["a", "b"], "version": 3})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/audit.sqlite3")
    yield database
    database.close()


def enter(database: Database, *deeds: Deed) -> None:
    with database.write() as connection:
        append(connection, *deeds)


def check(database: Database) -> Chain:
    with database.read() as connection:
        return verify(connection)


def test_entries_come_back_in_order_with_all_that_was_said(database: Database) -> None:
    enter(database, DEED, replace(DEED, action="query", detail={}))
    enter(database, replace(DEED, actor="Ägir 🐟"))

    with database.read() as connection:
        entries = list(read_entries(connection))
        later = [entry.sequence for entry in read_entries(connection, after=2)]

    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert {key: value for key, value in asdict(entries[0]).items() if key in asdict(DEED)} == asdict(DEED)
    assert later == [3]


def test_an_empty_chain_begins_with_zeros(database: Database) -> None:
    enter(database)

    assert check(database) == Chain(0, BEGINNING)


def test_the_head_follows_every_entry(database: Database) -> None:
    heads = set()
    for _ in range(3):
        enter(database, DEED)
        heads.add(check(database).head)

    assert len(heads) == 3


@pytest.mark.parametrize(
    ("change", "sequence"),
    [
        (update(audit_entries).where(audit_entries.c.sequence == 2).values(actor="somebody else"), 2),
        (update(audit_entries).where(audit_entries.c.sequence == 3).values(detail={"shots": []}), 3),
        (update(audit_entries).where(audit_entries.c.sequence == 1).values(at=1000.6), 1),
        (delete(audit_entries).where(audit_entries.c.sequence == 2), 2),
        (delete(audit_entries).where(audit_entries.c.sequence == 1), 1),
    ],
)
def test_what_was_changed_or_removed_is_found(database: Database, change: object, sequence: int) -> None:
    enter(database, DEED, DEED, DEED, DEED)
    with database.write() as connection:
        connection.execute(change)  # type: ignore[call-overload]

    with pytest.raises(BrokenChainError) as caught:
        check(database)

    assert caught.value.sequence == sequence


def test_a_replaced_end_shows_in_the_head_alone(database: Database) -> None:
    enter(database, DEED, DEED)
    before = check(database)
    with database.write() as connection:
        connection.execute(delete(audit_entries).where(audit_entries.c.sequence == 2))

    enter(database, replace(DEED, actor="somebody else"))

    assert check(database).entries == before.entries
    assert check(database).head != before.head
