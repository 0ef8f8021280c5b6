"""Audit trails as logs for a restoration: printed, damaged, cut off."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from app.gallery.audit import AuditEntry, BrokenChainError, Deed, append
from app.gallery.backup import BackupError, make_backup, restore_backup
from app.gallery.database import Database
from app.gallery.errors import StorageFailure
from app.gallery.logs import read_log, readable_log
from app.gallery.watermark import mark_of
from tests.app.gallery.support import CHECKPOINT, new_shots, open_store, random_vectors

DATABASE = "gallery.sqlite3"
MANY = 3000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a service in which `ann` was erased after a backup."""
    folder = tmp_path / "data"
    with closing(open_store(folder)) as store:
        store.enrol("people", "ann", new_shots(random_vectors(2, 1)), CHECKPOINT)
        store.enrol("people", "bob", new_shots(random_vectors(1, 2)), CHECKPOINT, "Bob")
        make_backup(folder, tmp_path / "b.zip")
        store.put_identity("people", "cy", None, {})
        store.delete_identity("people", "ann")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def restored(data: Path, log: Path) -> list[str]:
    new = data.parent / f"new-{log.name}"
    restore_backup(data.parent / "b.zip", new, log=log)
    with closing(open_store(new)) as store:
        return [one.identity_id for one in store.identities("people", None, 9)]


def printed(file: Path, entries: list[AuditEntry]) -> Path:
    file.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries))
    return file


def damage(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("after", [0, 2, 3])
def test_what_audit_show_prints_is_a_log(data: Path, tmp_path: Path, after: int) -> None:
    shown = run("audit", "show", "--data-dir", data, "--after", after)
    (tmp_path / "log.jsonl").write_text(shown.stdout)

    done = run("restore", tmp_path / "b.zip", "--data-dir", tmp_path / "new", "--log", tmp_path / "log.jsonl")

    assert done.exit_code == 0, done.output
    assert "1 erasures since the backup were carried out again" in done.stdout
    assert "the log was heeded up to its end, entry 5 of 1970-01-01T00:00:00+00:00" in done.stdout
    assert read_log(tmp_path / "new")[:5] == read_log(data)


def test_a_printed_log_that_does_not_reach_the_backup_is_refused(data: Path, tmp_path: Path) -> None:
    entries = read_log(data)
    for number, some in enumerate([[], entries[:2], entries[4:]]):
        with pytest.raises(BackupError, match="not the continuation"):
            restored(data, printed(tmp_path / f"{number}.jsonl", some))


def test_a_printed_log_with_a_change_is_refused(data: Path, tmp_path: Path) -> None:
    entries = read_log(data)
    forged = [*entries[:4], replace(entries[4], detail={"shots": [], "gone": []})]

    with pytest.raises(BackupError, match="breaks off after entry 4: entry 5 was changed"):
        restored(data, printed(tmp_path / "log.jsonl", forged))


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"sequence": 1}', "null", "\udc80"])
def test_what_is_no_entry_is_named_by_its_line(data: Path, tmp_path: Path, line: str) -> None:
    log = printed(tmp_path / "log.jsonl", read_log(data))
    log.write_text(log.read_text() + line + "\n", errors="surrogateescape")

    with pytest.raises(BackupError, match=r"line 6 of .* is no entry"):
        restored(data, log)


def test_damage_from_before_the_backup_does_not_matter_to_a_log(data: Path) -> None:
    damage(data, "UPDATE audit_entries SET actor = 'somebody else' WHERE sequence = 2")

    assert restored(data, data) == ["bob"]


def test_a_database_whose_end_is_missing_tells_as_much_as_can_be_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with closing(open_store(data)) as store:
        store.enrol("people", "ann", new_shots(random_vectors(1, 1)), CHECKPOINT)
        make_backup(data, tmp_path / "b.zip")
        store.delete_identity("people", "ann")
        for number in range(MANY):
            store.put_identity("people", "cy", None, {"number": number})
    before = read_log(data)
    mark_of(data / DATABASE).unlink()
    content = (data / DATABASE).read_bytes()
    (data / DATABASE).write_bytes(content[: len(content) // 2 // 4096 * 4096])

    with pytest.raises(BackupError, match=r"breaks off after entry \d+: .*malformed; `gaitkeeper audit show` prints"):
        restore_backup(tmp_path / "b.zip", tmp_path / "no", log=data)
    shown = run("audit", "show", "--data-dir", data)
    (tmp_path / "log.jsonl").write_text(shown.stdout)
    restore_backup(tmp_path / "b.zip", tmp_path / "new", log=tmp_path / "log.jsonl")

    assert shown.exit_code == 1
    assert "the trail breaks off after entry" in shown.stderr
    read = readable_log(data).entries
    assert 10 < len(read) < MANY
    assert read == before[: len(read)] == read_log(tmp_path / "new")[: len(read)]
    with closing(open_store(tmp_path / "new")) as store:
        assert store.identities("people", None, 9) == []


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit_entries SET detail = '{' WHERE sequence = 3", "entry 3 cannot be read"),
        ("UPDATE audit_entries SET detail = x'ff00' WHERE sequence = 3", "entry 3|cannot be used"),
        ("UPDATE audit_entries SET actor = x'ff00' WHERE sequence = 3", "entry 3 cannot be read"),
        ("UPDATE audit_entries SET at = 'noon' WHERE sequence = 3", "entry 3 was changed"),
        ("DELETE FROM audit_entries", "entry 1 is missing"),
        ("DROP TABLE audit_entries", "no such table"),
    ],
)
def test_a_trail_that_was_tampered_with_is_broken(data: Path, tmp_path: Path, statement: str, reason: str) -> None:
    mark_of(data / DATABASE).unlink()
    damage(data, statement)

    with pytest.raises((BrokenChainError, StorageFailure), match=reason):
        read_log(data)
    verified = run("audit", "verify", "--data-dir", data)
    assert (verified.exit_code, verified.stderr.count("\n")) == (1, 1)
    assert verified.stderr.startswith("error: the trail is broken: ")
    with pytest.raises((BackupError, StorageFailure)):
        make_backup(data, tmp_path / "c.zip")


def test_reading_a_trail_copies_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", None)
    content = (data / DATABASE).read_bytes()

    assert run("audit", "verify", "--data-dir", data).exit_code == 0
    assert (data / DATABASE).read_bytes() == content


def test_where_nothing_is_there_is_no_trail(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(StorageFailure, match=f"there is no audit trail in {place}"):
            readable_log(place)


def test_a_trail_of_an_earlier_release_names_people_by_what_they_were_called(data: Path) -> None:
    with closing(Database(f"sqlite:///{data / DATABASE}")) as database, database.write() as connection:
        append(connection, Deed(9.0, "", "erase-identity", "people", "bob", {"shots": []}))
        append(connection, Deed(9.0, "", "erase-identity", "people", "nobody", {"shots": []}))
        append(connection, Deed(9.0, "", "merge", "people", "nobody", {"into": "bob"}))

    restore_backup(data.parent / "b.zip", data.parent / "new", log=data)

    with closing(open_store(data.parent / "new")) as store:
        assert [(one.identity_id, one.label) for one in store.identities("people", None, 9)] == [("bob", None)]
        assert store.info("people").shots == 1
