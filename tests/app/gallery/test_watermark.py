"""Records that have lost changes are not served as if nothing had happened."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.gallery.audit import EMPTY, Chain, Deed, append, verify
from app.gallery.backup import BackupError, make_backup, restore_backup
from app.gallery.database import Database
from app.gallery.errors import StorageFailure, UnknownGallery
from app.gallery.logs import read_log
from app.gallery.watermark import check_mark, mark_of, read_mark, write_mark
from tests.app.gallery.broken_disk import WRITES, with_broken_disk
from tests.app.gallery.support import CHECKPOINT, new_shots, open_store, random_vectors

PEOPLE = 12
ROWS = random_vectors(PEOPLE, seed=71)
DATABASE, LOG = "gallery.sqlite3", "gallery.sqlite3-wal"


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The folder of a service as `kill -9` leaves it: everything but the first changes is in the write-ahead log."""
    store = open_store(tmp_path / "data")
    for number, row in enumerate(ROWS):
        store.enrol("people", f"p{number:02}", new_shots(row[None]), CHECKPOINT)
    shutil.copytree(tmp_path / "data", tmp_path / "killed")
    store.close()
    (tmp_path / "killed" / "indexes").mkdir(exist_ok=True)
    (tmp_path / "killed" / "indexes" / "1.lists").write_bytes(b"learned")
    return tmp_path / "killed"


def flip_a_bit_of_the_fifth(folder: Path) -> None:
    content = bytearray((folder / LOG).read_bytes())
    content[content.index(ROWS[4].tobytes()) + 20] ^= 1
    (folder / LOG).write_bytes(content)


def cut_the_log(folder: Path) -> None:
    (folder / LOG).write_bytes((folder / LOG).read_bytes()[:-5000])


def remove_the_log(folder: Path) -> None:
    (folder / LOG).unlink()


def empty_the_database(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"")


def remove_the_database(folder: Path) -> None:
    (folder / DATABASE).unlink()


def files(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder, but for what SQLite's processes share of a log."""
    there = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith("-shm")]
    return {path.name: path.read_bytes() for path in there if path.stat().st_size}


def names(folder: Path) -> list[str]:
    store = open_store(folder)
    found = [identity.identity_id for identity in store.identities("people", None, 99)]
    store.close()
    return found


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        (flip_a_bit_of_the_fifth, PEOPLE - 4),
        (cut_the_log, 1),
        (remove_the_log, PEOPLE + 1),
        (empty_the_database, PEOPLE + 1),
        (remove_the_database, PEOPLE + 1),
    ],
)
def test_lost_changes_are_told_with_a_way_on_and_nothing_is_touched(
    killed: Path, harm: Callable[[Path], None], lost: int
) -> None:
    harm(killed)
    before = files(killed)

    with pytest.raises(StorageFailure, match=f"lost: {lost}; restore.*remove .*-mark") as caught:
        open_store(killed)

    assert "\n" not in str(caught.value)
    assert files(killed) == before


def test_without_its_mark_a_service_goes_on_with_what_is_left(killed: Path) -> None:
    flip_a_bit_of_the_fifth(killed)
    mark_of(killed / DATABASE).unlink()

    assert names(killed) == ["p00", "p01", "p02", "p03"]
    assert read_mark(killed / DATABASE) is not None


@pytest.mark.parametrize("harm", [empty_the_database, remove_the_database])
def test_a_log_without_its_database_is_not_cleared_away_where_there_is_no_mark(
    killed: Path, harm: Callable[[Path], None]
) -> None:
    harm(killed)
    mark_of(killed / DATABASE).unlink()
    before = files(killed)

    with pytest.raises(StorageFailure, match=r"is empty or missing, and its log .*-wal is not: changes were lost"):
        open_store(killed)

    assert files(killed) == before


def test_a_killed_service_that_lost_nothing_comes_back(killed: Path) -> None:
    assert len(names(killed)) == PEOPLE


def test_a_mark_that_is_behind_the_records_is_moved_on(killed: Path, tmp_path: Path) -> None:
    write_mark(killed / DATABASE, EMPTY)

    assert len(names(killed)) == PEOPLE
    assert read_mark(killed / DATABASE) == read_mark(tmp_path / "data" / DATABASE)


def test_another_database_in_the_place_of_the_one_that_was_used_is_told(killed: Path, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other")
    for number in range(PEOPLE):
        other.put_identity("people", f"q{number}", None, {})
    other.close()
    (killed / LOG).unlink()
    shutil.copy(tmp_path / "other" / DATABASE, killed / DATABASE)

    with pytest.raises(StorageFailure, match=f"entry {PEOPLE + 1} of its audit trail is another"):
        open_store(killed)


@pytest.mark.parametrize("content", [b"", b"0" * 94 + b"\n", b"\xff" * 95, b"7 x y\n"])
def test_a_damaged_mark_is_told_and_made_anew(killed: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    good = mark_of(killed / DATABASE).read_bytes()
    mark_of(killed / DATABASE).write_bytes(content)

    assert len(names(killed)) == PEOPLE
    assert "is damaged" in caplog.text
    assert mark_of(killed / DATABASE).read_bytes() == good


def test_a_flipped_bit_in_a_mark_is_never_taken_for_a_mark(tmp_path: Path) -> None:
    write_mark(tmp_path / DATABASE, Chain(4711, "5d0c" * 16))
    file = mark_of(tmp_path / DATABASE)
    good = file.read_bytes()
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])

        assert read_mark(tmp_path / DATABASE) is None

    file.write_bytes(good)
    assert read_mark(tmp_path / DATABASE) == Chain(4711, "5d0c" * 16)


def test_a_mark_is_for_its_owner_only_and_says_nothing_of_a_new_service(tmp_path: Path) -> None:
    write_mark(tmp_path / DATABASE, EMPTY)

    check_mark(tmp_path / DATABASE)
    assert mark_of(tmp_path / DATABASE).stat().st_mode & 0o077 == 0


def say(*arguments: str) -> tuple[int, str]:
    """The exit status of a command, and what it says of an error."""
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.stderr


@pytest.mark.parametrize("harm", [flip_a_bit_of_the_fifth, empty_the_database, remove_the_database])
def test_commands_tell_lost_changes_and_make_no_database(killed: Path, harm: Callable[[Path], None]) -> None:
    harm(killed)
    before = files(killed)
    folder = str(killed)

    for arguments in (
        ("audit", "verify", "--data-dir", folder),
        ("audit", "show", "--data-dir", folder),
        ("backup", str(killed.parent / "b.zip"), "--data-dir", folder),
    ):
        code, said = say(*arguments)

        assert (code, "queries lost: " in said) == (1, True)
    assert files(killed) == before
    assert not (killed.parent / "b.zip").exists()


@pytest.mark.parametrize("statement", ["DELETE FROM audit_entries", "DROP TABLE audit_entries"])
def test_a_deleted_trail_is_told(tmp_path: Path, statement: str) -> None:
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute(statement)

    with pytest.raises(StorageFailure, match=r"lost: 1;|no such table: audit_entries"):
        open_store(tmp_path)
    assert say("audit", "verify", "--data-dir", str(tmp_path))[0] == 1


@pytest.mark.parametrize("command", [("audit", "verify"), ("audit", "show"), ("backup", "b.zip")])
@pytest.mark.parametrize("there", [True, False])
def test_commands_make_no_galleries_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, str], there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if there:
        (tmp_path / DATABASE).touch()

    code, said = say(*command, "--data-dir", str(tmp_path))

    assert (code, "there" in said) == (1, True)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0] * there


@pytest.mark.parametrize("name", [DATABASE, LOG, f"{DATABASE}-mark"])
def test_nothing_is_restored_beside_what_is_left_of_other_galleries(killed: Path, tmp_path: Path, name: str) -> None:
    make_backup(killed, tmp_path / "b.zip")
    (tmp_path / "new").mkdir()
    shutil.copy(killed / name, tmp_path / "new")

    with pytest.raises(BackupError, match="empty folder"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new")


def test_a_restored_backup_begins_a_mark_of_its_own(killed: Path, tmp_path: Path) -> None:
    make_backup(killed, tmp_path / "b.zip")
    open_store(killed).close()

    restore_backup(tmp_path / "b.zip", tmp_path / "new", log=killed)

    assert read_mark(tmp_path / "new" / DATABASE) is None
    assert len(names(tmp_path / "new")) == PEOPLE
    mark = read_mark(tmp_path / "new" / DATABASE)
    assert mark is not None
    assert mark.entries == len(read_log(tmp_path / "new", 0))


def test_a_mark_that_cannot_be_written_stays_behind(killed: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = read_mark(killed / DATABASE)

    with_broken_disk(WRITES, errno.ENOSPC, lambda: write_mark(killed / DATABASE, Chain(99, "5d0c" * 16)))

    assert "because of its disk: No space left" in caplog.text
    assert read_mark(killed / DATABASE) == before


def test_what_was_not_committed_moves_no_mark(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / DATABASE}")

    def refuse() -> None:
        with database.write() as connection:
            append(connection, Deed(0.0, "", "enrol", "people", "ann", {}))
            raise UnknownGallery("people")

    with pytest.raises(UnknownGallery):
        refuse()
    assert read_mark(tmp_path / DATABASE) == EMPTY

    with database.write() as connection:
        append(connection, Deed(0.0, "", "enrol", "people", "ann", {}))
    with database.read() as connection:
        assert read_mark(tmp_path / DATABASE) == verify(connection)
    database.close()
