"""What is kept for a limited time goes in time, and does not come back."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.backup import make_backup, restore_backup
from app.gallery.domain import NewShot, Retention, Search
from app.gallery.gallery import GalleryStore
from app.gallery.idempotency import Once
from app.gallery.logs import read_log
from app.gallery.retention import ERASED_AT_ONCE
from app.gallery.sweeper import sweeping
from tests.app.gallery.support import CHECKPOINT, DIM, Clock, Place, new_shots, open_store, random_vectors

ROWS = random_vectors(10, seed=3)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(place: Place, clock: Clock) -> Iterator[GalleryStore]:
    """A store whose gallery `people` keeps shots for a minute."""
    store = place.open(clock=clock)
    store.update("people", None, None, Retention(60))
    yield store
    store.close()


def enrol(store: GalleryStore, identity_id: str, *numbers: int) -> None:
    store.enrol("people", identity_id, new_shots(ROWS[list(numbers)]), CHECKPOINT)


def names(store: GalleryStore) -> dict[str, int]:
    return {identity.identity_id: identity.shots for identity in store.identities("people", None, 100)}


def test_shots_are_erased_when_they_are_too_old_and_not_before(store: GalleryStore, clock: Clock) -> None:
    enrol(store, "ann", 0, 1)
    clock.now += 30
    enrol(store, "ann", 2)
    clock.now += 29
    assert store.sweep() == 0

    clock.now += 1

    assert store.sweep() == 2
    assert names(store) == {"ann": 1}
    assert store.info("people").shots == 1
    assert store.search("people", ROWS[:1], Search(5), CHECKPOINT).identities[0].shots == 1


def test_an_identity_goes_with_its_last_shot(store: GalleryStore, clock: Clock) -> None:
    enrol(store, "ann", 0)
    store.put_identity("people", "planned", None, {})
    clock.now += 60

    store.sweep()

    assert names(store) == {"planned": 0}
    assert store.search("people", ROWS[:1], Search(5), CHECKPOINT).identities == []


def test_more_than_one_lot_goes_in_one_sweep(store: GalleryStore, clock: Clock) -> None:
    many = ERASED_AT_ONCE + 20
    store.enrol("people", "crowd", new_shots(random_vectors(many, seed=4)), CHECKPOINT)
    clock.now += 61

    assert store.sweep() == many
    assert names(store) == {}


def test_a_gallery_without_a_limit_keeps_everything(store: GalleryStore, clock: Clock) -> None:
    enrol(store, "ann", 0)
    clock.now += 1e9
    store.update("people", None, None, Retention(None))

    assert store.sweep() == 0
    assert names(store) == {"ann": 1}


def test_what_says_nothing_of_retention_leaves_it(store: GalleryStore) -> None:
    assert store.update("people", "All", None).ttl_seconds == 60


def test_the_limit_is_still_there_after_a_restart(store: GalleryStore, clock: Clock, place: Place) -> None:
    enrol(store, "ann", 0)
    store.close()
    clock.now += 61

    again = place.open(clock=clock)

    assert (again.info("people").ttl_seconds, again.sweep(), names(again)) == (60, 1, {})
    again.close()


def test_a_swept_gallery_is_the_same_after_a_restart(store: GalleryStore, clock: Clock, place: Place) -> None:
    enrol(store, "ann", 0, 1)
    clock.now += 40
    enrol(store, "ann", 2)
    enrol(store, "bob", 3)
    clock.now += 30
    store.sweep()
    before = store.info("people"), store.search("people", ROWS[:4], Search(5), CHECKPOINT)
    store.close()

    again = place.open(clock=clock)

    assert (again.info("people"), again.search("people", ROWS[:4], Search(5), CHECKPOINT)) == before
    again.close()


def test_a_restored_backup_forgets_what_was_too_old(clock: Clock, tmp_path: Path) -> None:
    store = open_store(tmp_path / "data", clock=clock)
    store.update("people", None, None, Retention(60))
    enrol(store, "ann", 0)
    clock.now += 30
    enrol(store, "bob", 1)
    make_backup(tmp_path / "data", tmp_path / "b.zip")
    clock.now += 31
    store.sweep()
    store.close()
    [entry] = [entry for entry in read_log(tmp_path / "data", 0) if entry.action == "erase-shot"]
    assert (entry.actor, entry.identity_id, entry.detail["reason"]) == ("", "ann", "ttl")

    restored = restore_backup(tmp_path / "b.zip", tmp_path / "new", log=tmp_path / "data")

    assert (restored.shots, restored.forgotten) == (1, 1)
    again = open_store(tmp_path / "new", clock=clock)
    assert names(again) == {"bob": 1}
    again.close()


def test_a_limit_has_to_be_positive() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Retention(0)


def test_tables_of_the_first_version_are_brought_up(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    enrol(store, "ann", 0)
    store.close()
    with sqlite3.connect(tmp_path / "gallery.sqlite3") as connection:
        connection.execute("DROP INDEX ix_shots_created_at")
        connection.execute("ALTER TABLE galleries DROP COLUMN ttl_seconds")
        connection.execute("ALTER TABLE galleries DROP COLUMN quality")
        connection.execute("ALTER TABLE calibrations DROP COLUMN stale_since")
        connection.execute("ALTER TABLE calibrations DROP COLUMN last_shot")
        connection.execute("DROP TABLE idempotency_keys")
        connection.execute("CREATE TABLE idempotency_keys (idempotency_key VARCHAR NOT NULL)")
        connection.execute("UPDATE schema_versions SET version = 1")
    connection.close()

    store = open_store(tmp_path)

    assert (names(store), store.info("people").ttl_seconds) == ({"ann": 1}, None)
    assert store.info("people").quality == "off"
    assert store.update("people", None, None, Retention(5), "warn").ttl_seconds == 5
    store.enrol("people", "bob", new_shots(random_vectors(1, 9)), CHECKPOINT, once=Once("k", "f"))
    store.close()
    store = open_store(tmp_path)
    assert store.info("people").quality == "warn"
    store.close()


def test_the_sweeper_sweeps_at_once_and_again_even_after_a_failure() -> None:
    rounds: list[int] = []
    enough = threading.Event()

    def sweep() -> int:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            enough.set()
        if len(rounds) == 1:
            raise OSError
        return 1

    with sweeping(sweep, every_seconds=0.001):
        assert enough.wait(30)

    assert rounds[:3] == [0, 1, 2]


def test_shots_that_moved_are_as_old_as_before(store: GalleryStore, clock: Clock) -> None:
    store.create("other", CHECKPOINT, DIM, retention=Retention(60))
    store.enrol("people", "ann", [NewShot(ROWS[0])], CHECKPOINT)
    clock.now += 50
    store.transfer("people", "ann", "other")
    clock.now += 10

    assert store.sweep() == 1
    assert store.info("other").shots == 0
