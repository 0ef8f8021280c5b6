"""A disk that fails: it is told in one line, and nothing is answered wrongly then or later."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.gallery.audit import Deed, append
from app.gallery.database import DATABASE_FILE, Database
from app.gallery.domain import Ranking, Search
from app.gallery.errors import DamagedShot, StorageFailure
from app.gallery.gallery import GalleryStore
from tests.app.gallery.broken_disk import OPENS, SYNCS, WRITES, with_broken_disk
from tests.app.gallery.support import CHECKPOINT, new_shots, open_store, random_vectors

ROWS = random_vectors(6, seed=2)

Change = Callable[[GalleryStore], object]


def enrol(store: GalleryStore) -> object:
    return store.enrol("people", "bob", new_shots(ROWS[2:4]), CHECKPOINT)


def erase(store: GalleryStore) -> object:
    return store.delete_identity("people", "ann")


def rename(store: GalleryStore) -> object:
    return store.rename("people", "ann", "zoe")


def create(store: GalleryStore) -> object:
    return store.create("another", CHECKPOINT, 16)


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[GalleryStore]:
    """A store in which ann is enrolled."""
    store = open_store(tmp_path)
    store.enrol("people", "ann", new_shots(ROWS[:2]), CHECKPOINT)
    yield store
    store.close()


def search(store: GalleryStore) -> Ranking:
    return store.search("people", ROWS[:1], Search(9), CHECKPOINT)


def state(store: GalleryStore) -> list[object]:
    return [store.list(), search(store), store.identities("people", None, 9), store.shots("people", "ann")]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=["full", "read-only", "broken"])
@pytest.mark.parametrize("change", [enrol, erase, rename, create])
def test_a_change_that_the_disk_refuses_is_told_and_has_not_happened(
    ann: GalleryStore, tmp_path: Path, change: Change, error: int
) -> None:
    before = state(ann)

    with pytest.raises(StorageFailure, match="cannot be used") as caught:
        with_broken_disk(WRITES, error, lambda: change(ann))

    assert "\n" not in str(caught.value)
    assert state(ann) == before
    change(ann)
    assert ann.info("people").version + len(ann.names()) == 3
    after = ann.list(), search(ann)
    ann.close()
    again = open_store(tmp_path)
    assert (again.list(), search(again)) == after
    again.close()


def test_a_full_disk_is_called_that(ann: GalleryStore) -> None:
    with pytest.raises(StorageFailure, match="full"):
        with_broken_disk(WRITES, errno.ENOSPC, lambda: enrol(ann))


@pytest.mark.parametrize("change", [enrol, erase])
def test_after_a_failed_fsync_nothing_more_is_written_until_a_restart(
    ann: GalleryStore, tmp_path: Path, change: Change
) -> None:
    before = state(ann)

    with pytest.raises(StorageFailure, match="cannot be used"):
        with_broken_disk(SYNCS, errno.EIO, lambda: change(ann))

    for refused in (enrol, erase, create):
        with pytest.raises(StorageFailure, match="restart"):
            refused(ann)
    assert state(ann) == before
    ann.close()
    again = open_store(tmp_path)
    assert again.info("people").version in (1, 2)
    assert again.put_identity("people", "dee", None, {}).identity_id == "dee"
    again.close()


def test_an_erasure_that_cannot_leave_the_log_yet_leaves_it_with_the_next_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    log = tmp_path / "records.sqlite3-wal"
    deed = Deed(0.0, "", "erase-shot", "people", "ann", {})
    with database.write() as connection:
        append(connection, deed)

    with_broken_disk(WRITES, errno.EIO, database.scrub)

    assert "stay in the write-ahead log because of its disk" in caplog.text
    assert log.stat().st_size > 0
    with database.write() as connection:
        append(connection, deed)
    assert log.stat().st_size == 0
    database.close()


def test_a_directory_that_cannot_be_written_to_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match=r"cannot be kept in .*Read-only file system"):
        with_broken_disk(OPENS, errno.EROFS, lambda: GalleryStore.open(tmp_path))


def test_a_store_opens_again_once_its_disk_is_well(ann: GalleryStore, tmp_path: Path) -> None:
    before = state(ann)
    ann.close()

    with pytest.raises(StorageFailure):
        with_broken_disk(WRITES, errno.ENOSPC, lambda: GalleryStore.open(tmp_path))

    again = open_store(tmp_path)
    assert state(again) == before
    again.close()


def export(store: GalleryStore) -> object:
    return store.export("people", "ann")


def merge(store: GalleryStore) -> object:
    return store.merge("people", "bob", "ann")


@pytest.mark.parametrize("use", [export, merge])
def test_an_embedding_that_goes_missing_while_the_service_runs_is_told_by_whoever_reads_it(
    ann: GalleryStore, tmp_path: Path, use: Change
) -> None:
    shot_ids = [shot.shot_id for shot in ann.shots("people", "ann")]
    enrol(ann)
    before = search(ann).identities
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection, connection:
        connection.execute("DELETE FROM embeddings WHERE slot = 1")

    with pytest.raises(DamagedShot, match="missing or damaged") as caught:
        use(ann)

    assert caught.value.shot_id in shot_ids
    assert search(ann).identities == before
