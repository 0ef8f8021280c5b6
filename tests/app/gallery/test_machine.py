"""A gallery does what a dictionary does, whatever is done to it and however often it is opened anew."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.gallery.domain import NewShot, Search, ShotFilter
from app.gallery.errors import IdentityExists, UnknownIdentity, UnknownShot
from tests.app.gallery.postgres import PostgresServer
from tests.app.gallery.support import CHECKPOINT, DIM, Place, sign_vectors

ROWS = sign_vectors(60, seed=31)
GALLERIES = ("people", "others")

galleries = st.sampled_from(GALLERIES)
names = st.sampled_from(["ann", "bob", "cy", "dee"])
pictures = st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=4)


class GalleryMachine(RuleBasedStateMachine):
    """The model: gallery -> identity -> picture -> camera."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.place = Place(Path(self.folder.name), url)
        self.store = self.place.open()
        self.store.create("others", CHECKPOINT, DIM)
        self.model: dict[str, dict[str, dict[int, str]]] = {gallery: {} for gallery in GALLERIES}
        self.versions = dict.fromkeys(GALLERIES, 0)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def shot_ids(self, gallery: str, name: str) -> dict[int, str]:
        return {int(str(shot.image_sha256)): shot.shot_id for shot in self.store.shots(gallery, name)}

    def refused(self, call: Callable[[], object], error: type[Exception]) -> None:
        try:
            call()
        except error:
            return
        raise AssertionError(f"{error.__name__} was expected")

    @rule(gallery=galleries, name=names, rows=pictures, camera=st.sampled_from(["c1", "c2"]))
    def enrol(self, gallery: str, name: str, rows: list[int], camera: str) -> None:
        before = self.model[gallery].setdefault(name, {})
        shots = [NewShot(ROWS[row], str(row), camera) for row in rows]
        statuses = [shot.status for shot in self.store.enrol(gallery, name, shots, CHECKPOINT).shots]
        for row, status in zip(rows, statuses, strict=True):
            assert status == ("duplicate" if row in before else "created")
            before.setdefault(row, camera)

    @rule(gallery=galleries, name=names)
    def erase(self, gallery: str, name: str) -> None:
        if name not in self.model[gallery]:
            return self.refused(lambda: self.store.delete_identity(gallery, name), UnknownIdentity)
        receipt = self.store.delete_identity(gallery, name)
        assert len(receipt.shot_ids) == len(self.model[gallery].pop(name))

    @rule(gallery=galleries, name=names, row=st.integers(0, len(ROWS) - 1))
    def erase_shot(self, gallery: str, name: str, row: int) -> None:
        if row in self.model[gallery].get(name, {}):
            self.store.delete_shot(gallery, name, self.shot_ids(gallery, name)[row])
            del self.model[gallery][name][row]

    @rule(gallery=galleries, name=names, to=names)
    def rename(self, gallery: str, name: str, to: str) -> None:
        people = self.model[gallery]
        if name not in people:
            return self.refused(lambda: self.store.rename(gallery, name, to), UnknownIdentity)
        if to in people and to != name:
            return self.refused(lambda: self.store.rename(gallery, name, to), IdentityExists)
        assert self.store.rename(gallery, name, to).identity_id == to
        people[to] = people.pop(name)

    @rule(gallery=galleries, name=names, to=names)
    def merge(self, gallery: str, name: str, to: str) -> None:
        people = self.model[gallery]
        if name == to:
            return self.refused(lambda: self.store.merge(gallery, to, name), ValueError)
        if name not in people or to not in people:
            return self.refused(lambda: self.store.merge(gallery, to, name), UnknownIdentity)
        merged, mine = self.store.merge(gallery, to, name), people.pop(name)
        assert len(merged.duplicates) == len(mine.keys() & people[to].keys())
        people[to] = mine | people[to]

    @rule(gallery=galleries, name=names, to=names, every=st.integers(1, 3), new=st.booleans())
    def move_shots(self, gallery: str, name: str, to: str, every: int, new: bool) -> None:
        people = self.model[gallery]
        chosen = sorted(people.get(name, {}))[::every]
        if name == to or not chosen:
            return
        there = self.shot_ids(gallery, name)
        shot_ids = [there[row] for row in chosen]
        if (to in people) == new:
            error = IdentityExists if new else UnknownIdentity
            return self.refused(lambda: self.store.move_shots(gallery, name, shot_ids, to, new), error)
        moved = self.store.move_shots(gallery, name, shot_ids, to, new)
        target = people.setdefault(to, {})
        assert sorted([*moved.shot_ids, *moved.duplicates]) == sorted(shot_ids)
        assert len(moved.duplicates) == len(target.keys() & set(chosen))
        for row in chosen:
            target.setdefault(row, people[name].pop(row))

    @rule(gallery=galleries, name=names)
    def move_unknown_shots(self, gallery: str, name: str) -> None:
        error = UnknownShot if name in self.model[gallery] else UnknownIdentity
        self.refused(lambda: self.store.move_shots(gallery, name, ["0" * 24], "zoe", new=True), error)

    @rule(gallery=galleries, name=names)
    def transfer(self, gallery: str, name: str) -> None:
        (to,) = set(GALLERIES) - {gallery}
        if name not in self.model[gallery]:
            return self.refused(lambda: self.store.transfer(gallery, name, to), UnknownIdentity)
        if name in self.model[to]:
            return self.refused(lambda: self.store.transfer(gallery, name, to), IdentityExists)
        assert self.store.transfer(gallery, name, to).gallery == to
        self.model[to][name] = self.model[gallery].pop(name)

    @precondition(lambda self: any(self.model.values()))
    @rule()
    def open_anew(self) -> None:
        before = self.store.list()
        self.store.close()
        self.store = self.place.open()
        assert self.store.list() == before

    @rule(gallery=galleries, row=st.integers(0, len(ROWS) - 1), cameras=st.none() | st.just(frozenset({"c1"})))
    def search(self, gallery: str, row: int, cameras: frozenset[str] | None) -> None:
        search = Search(9, filter=ShotFilter(cameras=cameras))
        ranking = self.store.search(gallery, ROWS[[row]], search, CHECKPOINT)
        expected = {}
        for name, shots in self.model[gallery].items():
            mine = [float(ROWS[at] @ ROWS[row]) for at, camera in shots.items() if not cameras or camera in cameras]
            if mine:
                expected[name] = (round(max(mine), 4), len(mine))
        assert {one.identity_id: (round(one.similarity, 4), one.shots) for one in ranking.identities} == expected
        order = sorted(expected, key=lambda name: (-expected[name][0], name))
        assert [one.identity_id for one in ranking.identities] == order

    @invariant()
    def everybody_is_as_the_model_has_them(self) -> None:
        for gallery, people in self.model.items():
            listed = {one.identity_id: one.shots for one in self.store.identities(gallery, None, 100)}
            assert listed == {name: len(shots) for name, shots in people.items()}
            info = self.store.info(gallery)
            assert (info.identities, info.shots) == (len(people), sum(map(len, people.values())))
            assert info.version >= self.versions[gallery]
            self.versions[gallery] = info.version


TestGallery = GalleryMachine.TestCase
TestGallery.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


def test_a_gallery_on_postgresql_does_the_same(postgres: PostgresServer) -> None:
    class OnPostgres(GalleryMachine):
        def __init__(self) -> None:
            super().__init__(postgres.new_url())

    few = settings(max_examples=4, stateful_step_count=15, deadline=None)
    run_state_machine_as_test(OnPostgres, settings=few)
