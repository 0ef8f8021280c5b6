import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from app.access.callers import Scope
from app.access.keys import KeyStore
from app.access.opening import keys_url
from app.cli import main
from app.gallery.audit import AuditEntry
from app.gallery.backup import BackupError, make_backup, restore_backup
from app.gallery.domain import Search
from app.gallery.errors import StorageFailure
from app.gallery.gallery import GalleryStore
from app.gallery.idempotency import Once
from app.gallery.logs import read_log
from app.gallery.slots import STORED
from tests.app.gallery.postgres import PostgresServer
from tests.app.gallery.support import CHECKPOINT, DIM, Place, new_shots, open_store, random_vectors

ANNA, BEA = random_vectors(3, 1), random_vectors(2, 2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two people."""
    folder = tmp_path / "data"
    store = open_store(folder)
    store.enrol("people", "anna", new_shots(ANNA), CHECKPOINT)
    store.enrol("people", "bea", new_shots(BEA), CHECKPOINT)
    store.close()
    return folder


def names(folder: Path, gallery: str = "people") -> list[str]:
    store = open_store(folder)
    try:
        return [identity.identity_id for identity in store.identities(gallery, None, 100)]
    finally:
        store.close()


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_restored_backup_answers_as_before(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")
    restored = restore_backup(tmp_path / "b.zip", tmp_path / "new")

    assert (restored.galleries, restored.shots, restored.forgotten) == (1, 5, 0)
    one, other = open_store(data), open_store(tmp_path / "new")
    for query in (ANNA[:1], BEA[:1], random_vectors(1, 9)):
        assert one.search("people", query, Search(5), CHECKPOINT).identities == (
            other.search("people", query, Search(5), CHECKPOINT).identities
        )
    one.close()
    other.close()


def test_folders_and_files_may_be_relative(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    make_backup(data.relative_to(tmp_path), Path("b.zip"))

    assert restore_backup(Path("b.zip"), Path("new")).shots == 5


def test_a_backup_is_of_one_moment_while_people_are_enrolled(data: Path, tmp_path: Path) -> None:
    store = open_store(data)
    stop = threading.Event()

    def enrol() -> None:
        number = 0
        while not stop.is_set():
            store.enrol("people", f"p{number}", new_shots(random_vectors(1, 100 + number)), CHECKPOINT)
            number += 1

    thread = threading.Thread(target=enrol)
    thread.start()
    try:
        for number in range(3):
            make_backup(data, tmp_path / f"{number}.zip")
    finally:
        stop.set()
        thread.join()
        store.close()

    for number in range(3):
        restored = restore_backup(tmp_path / f"{number}.zip", tmp_path / f"new{number}")
        entries = read_log(tmp_path / f"new{number}", 0)
        assert restored.shots == sum(len(e.detail["shots"]) for e in entries if e.action == "enrol")


def test_what_was_erased_after_a_backup_stays_erased(data: Path, tmp_path: Path) -> None:
    store = open_store(data)
    store.create("other", CHECKPOINT, DIM)
    store.enrol("other", "zoe", new_shots(random_vectors(1, 5)), CHECKPOINT)
    store.close()
    make_backup(data, tmp_path / "b.zip")
    store = open_store(data)
    store.rename("people", "anna", "anne")
    store.delete_identity("people", "anne")
    [first, *_] = store.shots("people", "bea")
    store.delete_shot("people", "bea", first.shot_id)
    store.delete("other")
    store.close()

    restored = restore_backup(tmp_path / "b.zip", tmp_path / "new", log=data)

    assert restored.forgotten == 3
    assert (restored.galleries, restored.shots) == (1, 1)
    assert names(tmp_path / "new") == ["bea"]
    left = bytes_below(tmp_path / "new")
    assert all(row.astype(STORED).tobytes() not in left for row in ANNA)
    assert [entry.action for entry in read_log(tmp_path / "new", 0)][-1] == "restore"


def test_the_trail_of_a_restored_service_continues_that_of_the_old_one(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")
    store = open_store(data)
    store.delete_identity("people", "anna")
    store.close()
    old = read_log(data, 0)

    restore_backup(tmp_path / "b.zip", tmp_path / "new", log=data)

    assert read_log(tmp_path / "new", 0)[: len(old)] == old


def test_keys_come_back_too(data: Path, tmp_path: Path) -> None:
    with KeyStore(keys_url(data)) as keys:
        text = keys.create("robot", frozenset({Scope.QUERY}), None)
    make_backup(data, tmp_path / "b.zip")

    restore_backup(tmp_path / "b.zip", tmp_path / "new")

    with KeyStore(keys_url(tmp_path / "new")) as keys:
        assert keys.find(text.key_id)


def test_only_the_owner_can_read_a_backup_or_what_is_restored(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")
    restore_backup(tmp_path / "b.zip", tmp_path / "new")

    for path in (tmp_path / "b.zip", tmp_path / "new" / "gallery.sqlite3", data / "gallery.sqlite3"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_flipped_byte_is_refused_and_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")
    packed = bytearray((tmp_path / "b.zip").read_bytes())
    packed[packed.index(ANNA[0].astype(STORED).tobytes()) + 5] ^= 1
    (tmp_path / "b.zip").write_bytes(packed)

    with pytest.raises(BackupError, match="damaged"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new")

    assert not any(path.suffix == ".sqlite3" for path in (tmp_path / "new").rglob("*"))


@pytest.mark.parametrize("content", [b"", b"PK\3\4", os.urandom(1000)])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)

    with pytest.raises(BackupError, match="no backup"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new")


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    card = {"format": 1, "made_at": 0, "chain": {"entries": 0, "head": ""}, "sha256": {"../out": "0" * 64}}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as zipped:
        zipped.writestr("backup.json", json.dumps(card))
        zipped.writestr("../out", b"x")

    with pytest.raises(BackupError, match="another release"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new")

    assert not (tmp_path / "out").exists()


def test_the_log_of_another_service_is_refused(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")
    other = open_store(tmp_path / "other")
    for number in range(9):
        other.enrol("people", f"x{number}", new_shots(random_vectors(1, number)), CHECKPOINT)
    other.close()

    with pytest.raises(BackupError, match="not the continuation"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new", log=tmp_path / "other")


def test_a_folder_with_galleries_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    make_backup(data, tmp_path / "b.zip")

    with pytest.raises(BackupError, match="restore into an empty folder"):
        restore_backup(tmp_path / "b.zip", data)
    with pytest.raises(BackupError, match="there already"):
        make_backup(data, tmp_path / "b.zip")


def test_backup_restore_and_audit_by_command(data: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    made = run(main, ["backup", str(tmp_path / "b.zip"), "--data-dir", str(data)])
    store = GalleryStore.open(data)
    store.delete_identity("people", "anna")
    store.close()

    restored = run(main, ["restore", str(tmp_path / "b.zip"), "--data-dir", str(tmp_path / "new"), "--log", str(data)])
    verified = run(main, ["audit", "verify", "--data-dir", str(tmp_path / "new")])
    shown = run(main, ["audit", "show", "--data-dir", str(tmp_path / "new"), "--after", "3"])

    assert made.exit_code == restored.exit_code == verified.exit_code == shown.exit_code == 0, restored.output
    assert "1 erasures since the backup" in restored.stdout
    head = made.stdout.split()[-1]
    again = run(main, ["audit", "verify", "--data-dir", str(tmp_path / "new"), "--head", head])
    missing = run(main, ["audit", "verify", "--data-dir", str(tmp_path / "new"), "--head", "0" * 63 + "1"])
    assert (again.exit_code, missing.exit_code) == (0, 1)
    assert [json.loads(line)["action"] for line in shown.stdout.splitlines()] == ["erase-identity", "restore"]


def erase_and_add(store: GalleryStore) -> None:
    store.rename("people", "anna", "anne")
    store.delete_identity("people", "anne")
    store.enrol("people", "zoe", new_shots(random_vectors(1, 9)), CHECKPOINT)


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_a_backup_of_either_store_can_be_restored_into_either(
    tmp_path: Path, postgres: PostgresServer, source: str, into: str
) -> None:
    old = Place(tmp_path / "old", postgres.new_url() if source == "postgresql" else None)
    new = Place(tmp_path / "new", postgres.new_url() if into == "postgresql" else None)
    with closing(old.open()) as store:
        first = store.enrol("people", "anna", new_shots(ANNA, "c1"), CHECKPOINT, "Anna", Once("key-1", "f"), [{}])
        store.enrol("people", "bea", new_shots(BEA), CHECKPOINT)
        before = store.search("people", BEA[:1], Search(5), CHECKPOINT).identities
        # The service goes on.
        make_backup(old.data_dir, tmp_path / "b.zip", old.url)
        erase_and_add(store)

    restored = restore_backup(tmp_path / "b.zip", new.data_dir, url=new.url)
    assert (restored.galleries, restored.shots, restored.forgotten) == (1, 5, 0)
    with closing(new.open()) as store:
        assert store.search("people", BEA[:1], Search(5), CHECKPOINT).identities == before
        # Numbers go on where they ended, and a key of before is known.
        assert store.enrol("people", "cy", new_shots(random_vectors(2, 3)), CHECKPOINT).shots[1].status == "created"
        assert store.recall("people", "anna", Once("key-1", "f")) == first
        assert len(store.shots("people", "anna")) == 3
    changes = [entry.action for entry in trail(new) if entry.action != "query"]
    assert changes == ["create-gallery", "enrol", "enrol", "restore", "enrol"]


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_what_was_erased_in_a_database_since_stays_erased(tmp_path: Path, postgres: PostgresServer, into: str) -> None:
    url = postgres.new_url()
    with closing(open_store(tmp_path / "old", url=url)) as store:
        store.enrol("people", "anna", new_shots(ANNA), CHECKPOINT)
        store.enrol("people", "bea", new_shots(BEA), CHECKPOINT)
        make_backup(tmp_path / "old", tmp_path / "b.zip", url)
        erase_and_add(store)

    new = Place(tmp_path / "new", postgres.new_url() if into == "postgresql" else None)
    restored = restore_backup(tmp_path / "b.zip", new.data_dir, url, new.url)

    assert (restored.shots, restored.forgotten) == (2, 1)
    with closing(new.open()) as store:
        assert [one.identity_id for one in store.identities("people", None, 9)] == ["bea"]
    assert trail(new)[: len(trail(Place(tmp_path, url)))] == trail(Place(tmp_path, url))


def test_a_backup_of_a_database_is_of_one_moment_while_people_are_enrolled(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url, stop = postgres.new_url(), threading.Event()
    with closing(open_store(tmp_path / "old", url=url)) as store:

        def enrol() -> None:
            number = 0
            while not stop.is_set():
                store.enrol("people", f"p{number}", new_shots(random_vectors(2, number)), CHECKPOINT)
                number += 1

        thread = threading.Thread(target=enrol)
        thread.start()
        try:
            for number in range(3):
                make_backup(tmp_path / "old", tmp_path / f"{number}.zip", url)
        finally:
            stop.set()
            thread.join()

    for number in range(3):
        restored = restore_backup(tmp_path / f"{number}.zip", tmp_path / f"new{number}")
        entries = read_log(tmp_path / f"new{number}", 0)
        assert restored.shots == sum(len(e.detail["shots"]) for e in entries if e.action == "enrol")


def test_keys_of_a_database_come_back_too(tmp_path: Path, postgres: PostgresServer) -> None:
    one, other = postgres.new_url(), postgres.new_url()
    open_store(tmp_path / "old", url=one).close()
    with KeyStore(one) as keys:
        text = keys.create("robot", frozenset({Scope.QUERY}), None)
        stored = keys.find(text.key_id)
    make_backup(tmp_path / "old", tmp_path / "b.zip", one)

    restore_backup(tmp_path / "b.zip", tmp_path / "new", url=other)
    restore_backup(tmp_path / "b.zip", tmp_path / "files")

    for url in (other, keys_url(tmp_path / "files")):
        with KeyStore(url) as keys:
            assert keys.find(text.key_id) == stored


def test_a_database_with_galleries_is_never_overwritten(data: Path, tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.new_url()
    make_backup(data, tmp_path / "b.zip")
    with closing(open_store(tmp_path / "used", url=url)), pytest.raises(StorageFailure, match="another process uses"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new", url=url)

    with pytest.raises(StorageFailure, match="restore into an empty one"):
        restore_backup(tmp_path / "b.zip", tmp_path / "new", url=url)
    with pytest.raises(StorageFailure, match="has no galleries"):
        make_backup(tmp_path, tmp_path / "c.zip", postgres.new_url())

    assert names_at(url, tmp_path) == []
    assert not list((tmp_path / "new").glob("*.sqlite*"))


def test_a_database_is_backed_up_and_restored_by_command(tmp_path: Path, postgres: PostgresServer) -> None:
    one, other = postgres.new_url(), postgres.new_url()
    run, bare = CliRunner().invoke, one.replace("+psycopg", "")
    with closing(GalleryStore.open(tmp_path / "old", url=one)) as store:
        store.create("people", CHECKPOINT, DIM)
        store.enrol("people", "anna", new_shots(ANNA), CHECKPOINT)
        made = run(main, ["backup", str(tmp_path / "b.zip"), "--database-url", bare])
        store.delete_identity("people", "anna")

    arguments = ["--data-dir", str(tmp_path / "new"), "--database-url", other.replace("+psycopg", ""), "--log", bare]
    restored = run(main, ["restore", str(tmp_path / "b.zip"), *arguments])

    assert (made.exit_code, restored.exit_code) == (0, 0), made.output + restored.output
    assert "with 0 shots into the database" in restored.stdout
    assert "1 erasures since the backup" in restored.stdout


def trail(place: Place) -> list[AuditEntry]:
    return read_log(place.url, 0) if place.url else read_log(place.data_dir, 0)


def names_at(url: str, folder: Path) -> list[str]:
    with closing(open_store(folder / "look", url=url)) as store:
        return [identity.identity_id for identity in store.identities("people", None, 100)]


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def refused(tmp_path: Path, *arguments: str) -> None:
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "b.zip"), *arguments])

    assert (done.exit_code, done.stdout) == (1, "")
    assert "the records are damaged: the stored embedding of shot" in done.stderr
    assert not [path.name for path in tmp_path.iterdir() if "b.zip" in path.name or path.name.startswith(".")]


@pytest.mark.parametrize(
    "damage",
    ["UPDATE embeddings SET content = zeroblob(64)", "UPDATE embeddings SET content = x'00'", "DELETE FROM embeddings"],
)
def test_a_damaged_or_missing_embedding_makes_no_backup(data: Path, tmp_path: Path, damage: str) -> None:
    change(f"sqlite:///{data}/gallery.sqlite3", f"{damage} WHERE slot = 2")

    refused(tmp_path, "--data-dir", str(data))


def test_a_damaged_embedding_of_a_database_makes_no_backup(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.new_url()
    with closing(open_store(tmp_path / "data", url=url)) as store:
        store.enrol("people", "anna", new_shots(ANNA), CHECKPOINT)
    change(url, r"UPDATE embeddings SET content = decode('00', 'hex') WHERE slot = 2")

    refused(tmp_path, "--database-url", url.replace("+psycopg", ""))


WORKING = """
import sys
from pathlib import Path
from app.gallery.workspace import workspace

with workspace(Path(sys.argv[1]), sys.argv[2]) as folder:
    (folder / "gallery.sqlite3").write_bytes(b"everybody")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def working(parent: Path, prefix: str) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """A process that works in a workspace until it is killed."""
    command = [sys.executable, "-c", WORKING, str(parent), prefix]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield Path(process.stdout.readline().strip()), process
        process.kill()


@pytest.mark.parametrize("prefix", [".backup-", ".restore-"])
def test_what_a_killed_run_left_goes_at_the_next_start_and_no_running_work_does(data: Path, prefix: str) -> None:
    with working(data, prefix) as (folder, process):
        open_store(data).close()
        assert (folder / "gallery.sqlite3").read_bytes() == b"everybody"
        process.kill()
        process.wait()
        assert folder.exists()

        open_store(data).close()

        assert not folder.exists()


def test_what_a_killed_run_left_goes_with_the_next_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "backups").mkdir()
    left = [tmp_path / "new" / ".restore-12345", tmp_path / "backups" / ".backup-12345"]
    for folder in left:
        folder.mkdir()
        (folder / "gallery.sqlite3").write_bytes(b"everybody")

    make_backup(data, tmp_path / "backups" / "b.zip")
    restore_backup(tmp_path / "backups" / "b.zip", tmp_path / "new")

    assert [folder for folder in left if folder.exists()] == []
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == ["b.zip"]
