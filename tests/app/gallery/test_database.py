"""Transactions, and what happens when the file is not what it should be."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from app.gallery.database import Database
from app.gallery.errors import DamagedShot, StorageFailure
from app.gallery.gallery import GalleryStore
from app.gallery.schema import embeddings
from tests.app.gallery.support import CHECKPOINT, new_shots, open_store, random_vectors

COUNT = select(func.count()).select_from(embeddings)


def open_database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'records.sqlite3'}")


def add_row(database: Database, content: bytes = b"x") -> None:
    with database.write() as connection:
        connection.execute(insert(embeddings).values(content=content))


def test_a_read_sees_one_state_throughout(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    with database.read() as connection:
        before = connection.scalar(COUNT)
        add_row(database)
        assert (before, connection.scalar(COUNT)) == (0, 0)
    with database.read() as connection:
        assert connection.scalar(COUNT) == 1
    database.close()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path)

    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(embeddings).values(content=b"x"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    with database.read() as connection:
        assert connection.scalar(COUNT) == 0
    database.close()


def test_every_connection_writes_through_and_overwrites_what_it_deletes(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    for transaction in (database.read, database.write):
        with transaction() as connection:
            pragmas = ("synchronous", "secure_delete", "journal_mode", "foreign_keys")
            values = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
            assert values == [2, 1, "wal", 1]
    database.close()


def test_what_a_reader_keeps_in_the_log_is_erased_by_the_next_write(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(tmp_path)
    log = tmp_path / "records.sqlite3-wal"
    with database.read() as reader:
        reader.scalar(COUNT)
        add_row(database, b"to be erased")
        database.scrub()
        assert b"to be erased" in log.read_bytes()
    assert "stay in the write-ahead log" in caplog.text

    add_row(database)

    assert log.stat().st_size == 0
    database.close()


def test_a_second_opener_of_the_directory_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(StorageFailure, match="another process"):
        GalleryStore.open(tmp_path)
    store.close()

    open_store(tmp_path).close()


def test_a_closed_store_refuses_to_write(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()

    with pytest.raises(StorageFailure, match="closed"):
        store.enrol("people", "ann", new_shots(random_vectors(1, 0)), CHECKPOINT)


def test_a_place_has_to_be_named() -> None:
    with pytest.raises(ValueError, match="directory"):
        GalleryStore.open(None)


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageFailure, match="cannot be kept"):
        GalleryStore.open(tmp_path / "file")


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    open_store(tmp_path / "new" / "data").close()

    assert (tmp_path / "new" / "data").stat().st_mode & 0o077 == 0


def test_a_database_can_be_named_by_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    store = GalleryStore.open(None, url=url)
    store.create("people", CHECKPOINT, 16)
    store.close()

    store = GalleryStore.open(None, url=url)
    assert store.names() == ["people"]
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 99, b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "gallery.sqlite3"
    file.write_bytes(content)

    with pytest.raises(StorageFailure):
        GalleryStore.open(tmp_path)

    assert file.read_bytes() == content


def test_a_truncated_database_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.enrol("people", "ann", new_shots(random_vectors(400, 0)), CHECKPOINT)
    store.close()
    file = tmp_path / "gallery.sqlite3"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    with pytest.raises(StorageFailure):
        GalleryStore.open(tmp_path)


def test_tables_of_another_release_are_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "gallery.sqlite3") as connection:
        connection.execute("UPDATE schema_versions SET version = 999")
    connection.close()

    with pytest.raises(StorageFailure, match="999"):
        GalleryStore.open(tmp_path)


def damage(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET content = zeroblob(64) WHERE slot = 2",
        "UPDATE embeddings SET content = substr(content, 1, 60) WHERE slot = 2",
        "UPDATE embeddings SET content = (SELECT content FROM embeddings WHERE slot = 1) WHERE slot = 2",
        "UPDATE shots SET checksum = checksum + 1 WHERE slot = 2",
        "DELETE FROM embeddings WHERE slot = 2",
    ],
    ids=["zeros", "short", "of another shot", "checksum", "missing"],
)
def test_an_embedding_that_is_not_the_one_enrolled_is_told(tmp_path: Path, statement: str) -> None:
    store = open_store(tmp_path)
    shots = store.enrol("people", "ann", new_shots(random_vectors(3, 0)), CHECKPOINT).shots
    store.close()
    damage(tmp_path / "gallery.sqlite3", statement)

    with pytest.raises(DamagedShot) as caught:
        GalleryStore.open(tmp_path)

    assert (caught.value.gallery, caught.value.shot_id) == ("people", shots[1].shot_id)


@pytest.mark.parametrize("bit", [0, 100, 511])
def test_a_flipped_bit_on_the_disk_is_told(tmp_path: Path, bit: int) -> None:
    rows = random_vectors(3, 0)
    store = open_store(tmp_path)
    shots = store.enrol("people", "ann", new_shots(rows), CHECKPOINT).shots
    store.close()
    file = tmp_path / "gallery.sqlite3"
    content = bytearray(file.read_bytes())
    content[content.index(rows[1].tobytes()) + bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)

    with pytest.raises(DamagedShot) as caught:
        GalleryStore.open(tmp_path)

    assert caught.value.shot_id == shots[1].shot_id


def test_a_store_that_could_not_be_opened_lets_go_of_the_directory(tmp_path: Path) -> None:
    file = tmp_path / "gallery.sqlite3"
    file.write_bytes(b"nonsense" * 1000)
    with pytest.raises(StorageFailure):
        GalleryStore.open(tmp_path)
    file.unlink()

    open_store(tmp_path).close()
