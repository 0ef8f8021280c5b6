"""A restored backup is what it was without what was erased since: nothing erased comes back, nobody alive is lost."""

import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from app.gallery.backup import Restored, make_backup, restore_backup
from app.gallery.domain import Metadata, NewShot, Retention
from app.gallery.errors import GalleryError
from app.gallery.gallery import GalleryStore
from tests.app.gallery.postgres import PostgresServer
from tests.app.gallery.support import CHECKPOINT, DIM, Clock, Place, open_store, random_vectors

ROWS = random_vectors(12, seed=51)
GALLERIES = ("people", "others")

# Gallery and name -> label, metadata, and embeddings by shot id.
People = dict[tuple[str, str], tuple[str | None, Metadata, dict[str, bytes]]]


def everybody(store: GalleryStore) -> People:
    found: People = {}
    for gallery in store.names():
        for one in store.identities(gallery, None, 1000):
            exported = store.export(gallery, one.identity_id)
            shots = zip(exported.shots, exported.embeddings, strict=True)
            kept = {shot.shot_id: row.tobytes() for shot, row in shots}
            found[gallery, one.identity_id] = (one.label, one.metadata, kept)
    return found


@dataclass(frozen=True)
class Service:
    """A service of which a backup was made."""

    folder: Path
    store: GalleryStore
    clock: Clock

    def enrol(self, name: str, *rows: int, gallery: str = "people") -> list[str]:
        shots = [NewShot(ROWS[row], f"{row}") for row in rows]
        self.clock.now += 1
        answered = self.store.enrol(gallery, name, shots, CHECKPOINT, f"Label {name}")
        return [shot.shot_id for shot in answered.shots]

    def back_up(self) -> None:
        make_backup(self.folder / "data", self.folder / "b.zip")

    def restored(self) -> tuple[People, Restored]:
        self.store.close()
        done = restore_backup(self.folder / "b.zip", self.folder / "new", log=self.folder / "data")
        with closing(open_store(self.folder / "new")) as store:
            return everybody(store), done


@pytest.fixture
def service(tmp_path: Path) -> Service:
    clock = Clock()
    return Service(tmp_path, open_store(tmp_path / "data", clock=clock), clock)


def test_a_duplicate_that_a_merge_erased_stays_erased(service: Service) -> None:
    service.enrol("anna", 0, 1)
    service.enrol("anna-2", 0)
    service.back_up()
    service.store.merge("people", "anna", "anna-2")
    service.store.delete_identity("people", "anna")

    assert service.restored()[0] == {}


def test_a_duplicate_that_a_move_erased_stays_erased(service: Service) -> None:
    service.enrol("a", 0)
    [shot] = service.enrol("b", 0)
    service.back_up()
    service.store.move_shots("people", "b", [shot], "a")

    people, done = service.restored()

    assert {name: len(shots) for (_, name), (_, _, shots) in people.items()} == {"a": 1, "b": 0}
    assert done.forgotten == 1


def test_an_identity_without_shots_that_was_renamed_and_erased_stays_erased(service: Service) -> None:
    service.store.put_identity("people", "noshots", "Carl Secret", {"passport": "X1"})
    service.back_up()
    service.store.rename("people", "noshots", "noshots2")
    service.store.delete_identity("people", "noshots2")

    assert service.restored()[0] == {}


def test_who_was_renamed_stays_when_somebody_else_of_the_old_name_is_erased(service: Service) -> None:
    service.store.put_identity("people", "x", "First", {})
    service.back_up()
    service.store.rename("people", "x", "y")
    service.enrol("x", 3)
    service.store.delete_identity("people", "x")

    assert service.restored()[0] == {("people", "x"): ("First", {}, {})}


def test_who_lost_the_last_shot_but_was_kept_is_kept(service: Service) -> None:
    [shot] = service.enrol("dee", 0)
    service.back_up()
    service.store.delete_shot("people", "dee", shot)

    assert service.restored()[0] == {("people", "dee"): ("Label dee", {}, {})}


def test_who_was_moved_to_another_gallery_outlives_the_first_one(service: Service) -> None:
    service.store.create("others", CHECKPOINT, DIM)
    service.enrol("kim", 0)
    service.enrol("lee", 1)
    service.enrol("max", 2, gallery="others")
    service.back_up()
    service.store.transfer("others", "max", "people")
    service.store.transfer("people", "kim", "others")
    service.store.delete("people")

    people, _ = service.restored()

    assert [(who, label, len(shots)) for who, (label, _, shots) in people.items()] == [
        (("people", "kim"), "Label kim", 1)
    ]


def test_what_lives_on_under_another_name_stays_without_the_label_that_was_erased(service: Service) -> None:
    first, _ = service.enrol("ann", 0, 1)
    service.back_up()
    service.store.move_shots("people", "ann", [first], "bea", new=True)
    service.store.delete_identity("people", "ann")

    assert service.restored()[0] == {("people", "ann"): (None, {}, {first: ROWS[0].tobytes()})}


def test_who_went_with_the_last_shot_that_was_too_old_stays_away(service: Service) -> None:
    service.enrol("old", 0)
    service.back_up()
    service.store.update("people", None, None, Retention(10))
    service.enrol("new", 1)
    service.clock.now += 10
    service.store.sweep()

    assert service.restored()[0] == {}


def test_a_number_that_was_given_again_after_a_restore_concerns_nobody_else(service: Service) -> None:
    service.enrol("ann", 0)
    service.back_up()
    service.enrol("bob", 1)
    with_bob = everybody(service.store)
    make_backup(service.folder / "data", service.folder / "later.zip")
    service.restored()
    service.clock.now += 100
    with closing(open_store(service.folder / "new", clock=service.clock)) as store:
        store.put_identity("people", "cy", None, {})
        store.delete_identity("people", "cy")

    restore_backup(service.folder / "later.zip", service.folder / "newest", log=service.folder / "new")

    with closing(open_store(service.folder / "newest")) as store:
        assert everybody(store) == with_bob


HOMES = {"ann": "people", "bob": "people", "cy": "people", "dee": "others"}
names = st.sampled_from(sorted(HOMES))
galleries = st.sampled_from(GALLERIES)
# Few, so that many people share one.
pictures = st.lists(st.integers(0, 2), min_size=1, max_size=3)


class RestoringMachine(RuleBasedStateMachine):
    """Who is who is known by the label: everybody gets another one at birth, and keeps it for life."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.place, self.clock = Place(self.path / "data", url), Clock()
        self.store = self.place.open(clock=self.clock)
        self.store.create("others", CHECKPOINT, DIM)
        self.born = self.restores = 0
        self.backup = self.path / "b.zip"
        self.then: People = {}

    def teardown(self) -> None:
        try:
            # Hypothesis gives up examples that become too long, perhaps before there is a backup.
            if self.backup.exists():
                self.restore()
        finally:
            self.store.close()
            self.folder.cleanup()

    def attempt(self, call: Callable[[], object]) -> None:
        """What cannot be done changes nothing, which is as good."""
        self.clock.now += 1
        with suppress(GalleryError, ValueError, IndexError):
            call()

    def shot_ids(self, gallery: str, name: str) -> list[str]:
        return [shot.shot_id for shot in self.store.shots(gallery, name)]

    def name_newborn(self, gallery: str, name: str) -> None:
        if self.store.identity(gallery, name).label is None:
            self.born += 1
            self.store.update_identity(gallery, name, f"person {self.born}", {"number": self.born})

    @rule(gallery=galleries, name=names, rows=pictures)
    def enrol(self, gallery: str, name: str, rows: list[int]) -> None:
        shots = [NewShot(ROWS[row], str(row)) for row in rows]
        self.attempt(lambda: self.store.enrol(gallery, name, shots, CHECKPOINT))
        self.name_newborn(gallery, name)

    @rule(gallery=galleries, name=names)
    def expect(self, gallery: str, name: str) -> None:
        self.born += 1
        if (gallery, name) not in everybody(self.store):
            self.store.put_identity(gallery, name, f"person {self.born}", {})

    @rule(gallery=galleries, name=names, to=names)
    def rename(self, gallery: str, name: str, to: str) -> None:
        self.attempt(lambda: self.store.rename(gallery, name, to))

    @rule(gallery=galleries, name=names, to=names)
    def merge(self, gallery: str, name: str, to: str) -> None:
        self.attempt(lambda: self.store.merge(gallery, to, name))

    @rule(gallery=galleries, name=names, to=names, new=st.booleans())
    def move(self, gallery: str, name: str, to: str, new: bool) -> None:
        self.attempt(lambda: self.store.move_shots(gallery, name, self.shot_ids(gallery, name)[:1], to, new))
        self.attempt(lambda: self.name_newborn(gallery, to))

    @rule(gallery=galleries, name=names)
    def transfer(self, gallery: str, name: str) -> None:
        (to,) = set(GALLERIES) - {gallery}
        self.attempt(lambda: self.store.transfer(gallery, name, to))

    @rule(gallery=galleries, name=names)
    def erase(self, gallery: str, name: str) -> None:
        self.attempt(lambda: self.store.delete_identity(gallery, name))

    @rule(gallery=galleries, name=names)
    def erase_shot(self, gallery: str, name: str) -> None:
        self.attempt(lambda: self.store.delete_shot(gallery, name, self.shot_ids(gallery, name)[0]))

    @rule(gallery=galleries)
    def erase_gallery(self, gallery: str) -> None:
        self.store.delete(gallery)
        self.store.create(gallery, CHECKPOINT, DIM)

    @rule(gallery=galleries, seconds=st.integers(2, 9))
    def let_expire(self, gallery: str, seconds: int) -> None:
        self.store.update(gallery, None, None, Retention(seconds))
        self.store.sweep()
        self.store.update(gallery, None, None, Retention(None))

    @initialize(people=st.lists(st.just([]) | pictures, min_size=4, max_size=4))
    def begin(self, people: list[list[int]]) -> None:
        for (name, gallery), rows in zip(HOMES.items(), people, strict=True):
            self.expect(gallery, name)
            if rows:
                self.enrol(gallery, name, rows)
        make_backup(self.place.data_dir, self.backup, self.place.url)
        self.then = everybody(self.store)

    @rule()
    def restore(self) -> None:
        then, now = self.then, everybody(self.store)
        shots = {shot for _, _, kept in now.values() for shot in kept}
        labels = {label for label, _, _ in now.values()}
        expected: People = {}
        for who, (label, metadata, kept) in then.items():
            left = {shot: row for shot, row in kept.items() if shot in shots}
            if label in labels:
                expected[who] = (label, metadata, left)
            elif left:
                expected[who] = (None, {}, left)
        self.restores += 1
        new = self.path / f"new{self.restores}"
        restore_backup(self.backup, new, log=self.place.url or self.place.data_dir)
        with closing(open_store(new)) as restored:
            assert everybody(restored) == expected
        self.check_residue(new, then, expected)

    def check_residue(self, folder: Path, then: People, expected: People) -> None:
        alive = {row for _, _, kept in expected.values() for row in kept.values()}
        gone = {row for _, _, kept in then.values() for row in kept.values()} - alive
        disk = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert not [np.frombuffer(row, np.float32) for row in gone if row in disk]


TestRestoring = RestoringMachine.TestCase
TestRestoring.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


def test_what_was_erased_in_postgresql_stays_erased(postgres: PostgresServer) -> None:
    class OnPostgres(RestoringMachine):
        def __init__(self) -> None:
            super().__init__(postgres.new_url())

    few = settings(max_examples=4, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(OnPostgres, settings=few)
