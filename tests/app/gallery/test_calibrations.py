"""A gallery's own calibration: what it was fitted on, and when the gallery has become another one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.calibrations import Drift
from app.gallery.gallery import GalleryStore
from tests.app.gallery.support import CHECKPOINT, Clock, Place, new_shots, open_store, random_vectors

ROWS = random_vectors(400, seed=0)


def enrol(store: GalleryStore, name: str, first: int, count: int) -> None:
    store.enrol("people", name, new_shots(ROWS[first : first + count]), CHECKPOINT)


def calibrate(store: GalleryStore) -> None:
    store.calibrate("people", {"what": "ever"}, store.moment("people"))


def drift(store: GalleryStore) -> tuple[int, int, bool]:
    found = store.drift("people")
    assert isinstance(found, Drift)
    return found.new, found.gone, found.is_large


def stale_since(store: GalleryStore) -> float | None:
    stored = store.calibration("people")
    assert stored is not None
    return stored.stale_since


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(place: Place, clock: Clock) -> Iterator[list[GalleryStore]]:
    """A store with twenty people of five shots each, calibrated at the time 1000; the last of the list is open."""
    stores = [place.open(clock=clock)]
    for at in range(20):
        enrol(stores[0], f"p{at}", 5 * at, 5)
    calibrate(stores[0])
    yield stores
    stores[-1].close()


def reopened(opened: list[GalleryStore], place: Place, clock: Clock) -> GalleryStore:
    opened[-1].close()
    opened.append(place.open(clock=clock))
    return opened[-1]


def test_replaced_shots_make_a_calibration_stale_and_it_says_since_when(
    opened: list[GalleryStore], place: Place, clock: Clock
) -> None:
    store = opened[0]
    for at, now in ((0, 2000), (1, 3000), (2, 4000)):
        clock.now = now
        store.delete_identity("people", f"p{at}")
        enrol(store, f"q{at}", 200 + 5 * at, 5)

    before = drift(store), stale_since(store)
    store = reopened(opened, place, clock)
    clock.now = 9000
    enrol(store, "r", 300, 1)

    assert before == ((15, 15, True), 4000)
    assert (drift(store), stale_since(store)) == ((16, 15, True), 4000)


def test_a_fifth_is_not_yet_too_much_and_one_more_is(opened: list[GalleryStore], clock: Clock) -> None:
    store = opened[0]
    clock.now = 2000
    for at in range(4):
        store.delete_identity("people", f"p{at}")
    a_fifth = drift(store), stale_since(store)
    clock.now = 3000
    enrol(store, "new", 200, 1)

    assert a_fifth == ((0, 20, False), None)
    assert (drift(store), stale_since(store)) == ((1, 20, True), 3000)


def test_who_came_and_went_leaves_no_trace(opened: list[GalleryStore], place: Place, clock: Clock) -> None:
    store = opened[0]
    clock.now = 2000
    enrol(store, "crowd", 200, 50)
    crowded = drift(store), stale_since(store)
    clock.now = 3000
    store.delete_identity("people", "crowd")

    assert crowded == ((50, 0, True), 2000)
    assert (drift(store), stale_since(store)) == ((0, 0, False), None)
    assert stale_since(reopened(opened, place, clock)) is None


def test_shots_that_were_given_to_somebody_else_count_and_a_new_name_does_not(opened: list[GalleryStore]) -> None:
    store = opened[0]
    store.rename("people", "p0", "anna")
    renamed = drift(store)
    store.merge("people", "p1", "p2")

    assert (renamed, drift(store)) == ((0, 0, False), (5, 5, False))


def test_a_new_calibration_begins_anew(opened: list[GalleryStore], clock: Clock) -> None:
    store = opened[0]
    enrol(store, "crowd", 200, 50)
    stale = stale_since(store)
    calibrate(store)

    assert stale == clock.now
    assert (drift(store), stale_since(store)) == ((0, 0, False), None)


def test_what_happened_while_a_calibration_was_fitted_counts(opened: list[GalleryStore]) -> None:
    store = opened[0]
    moment = store.moment("people")
    enrol(store, "crowd", 200, 50)
    store.calibrate("people", {}, moment)

    assert drift(store) == (50, 0, True)
    assert stale_since(store) is not None


def test_a_gallery_without_a_calibration_of_its_own_never_drifts(opened: list[GalleryStore]) -> None:
    store = opened[0]
    store.forget_calibration("people")
    enrol(store, "crowd", 200, 50)

    assert (store.calibration("people"), store.drift("people")) == (None, None)


def test_a_calibration_of_the_release_before_knows_its_shots(tmp_path: Path, clock: Clock) -> None:
    store = open_store(tmp_path, clock=clock)
    enrol(store, "anna", 0, 100)
    calibrate(store)
    enrol(store, "bob", 100, 15)
    store.close()
    with sqlite3.connect(tmp_path / "gallery.sqlite3") as connection:
        connection.execute("ALTER TABLE calibrations DROP COLUMN stale_since")
        connection.execute("ALTER TABLE calibrations DROP COLUMN last_shot")
        connection.execute("UPDATE schema_versions SET version = 3")
    connection.close()

    store = open_store(tmp_path, clock=clock)
    found = drift(store), stale_since(store)
    store.close()

    assert found == ((15, 0, False), None)
