"""A view that follows changes is the view of what the records hold."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.changes import NO_KEYS, SHOT_ID, Change, GalleryRow, IdentityName, Keys, ShotColumns
from app.gallery.domain import Search
from app.gallery.faiss_index import FaissIndex
from app.gallery.index import OutOfStep
from app.gallery.view import View
from tests.app.gallery.support import CHECKPOINT, DIM, DictIndex, ranking_by_hand, sign_vectors

ROWS = sign_vectors(400, seed=11)
GALLERY = GalleryRow(1, "people", CHECKPOINT, DIM, None, {}, 0.0)


@dataclass
class Records:
    """Stands in for the database: makes changes, and remembers what is there."""

    version: int = 0
    identities: int = 0
    shots: int = 0
    people: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def enrol(self, who: str, count: int) -> Change:
        named: tuple[IdentityName, ...] = ()
        if who not in self.people:
            self.identities += 1
            self.people[who] = (self.identities, [])
            named = (IdentityName(self.identities, who, None),)
        key, mine = self.people[who]
        new = list(range(self.shots, self.shots + count))
        mine += new
        self.shots += count
        return self.change(named=named, enrolled=columns({key: new}))

    def erase_shots(self, who: str, every: int) -> Change:
        key, mine = self.people.get(who, (0, []))
        if key:
            self.people[who] = (key, [shot for shot in mine if shot % every])
        return self.change(erased_shots=np.array([shot for shot in mine if shot % every == 0], np.int64))

    def erase_identity(self, who: str) -> Change:
        if who not in self.people:
            return self.change()
        key, mine = self.people.pop(who)
        return self.change(erased_identities=(key,), erased_shots=np.array(mine, np.int64))

    def contents(self) -> Change:
        named = tuple(IdentityName(key, who, None) for who, (key, _) in self.people.items())
        enrolled = columns(dict(self.people.values()))
        return Change(self.version, gallery=GALLERY, named=named, enrolled=enrolled)

    def change(
        self,
        named: tuple[IdentityName, ...] = (),
        enrolled: ShotColumns | None = None,
        erased_identities: tuple[int, ...] = (),
        erased_shots: Keys = NO_KEYS,
    ) -> Change:
        self.version += 1
        return Change(self.version, None, named, erased_identities, enrolled, erased_shots)


def columns(shots: dict[int, list[int]]) -> ShotColumns:
    keys = np.array(sorted(key for mine in shots.values() for key in mine), np.int64)
    owners = {key: owner for owner, mine in shots.items() for key in mine}
    return ShotColumns(
        keys=keys,
        identity_keys=np.array([owners[key] for key in keys.tolist()], np.int64),
        shot_ids=np.array([f"s{key:03}" for key in keys], SHOT_ID),
        cameras=np.full(len(keys), None),
        times=np.full(len(keys), np.nan),
        qualities=np.ones(len(keys), np.float32),
        metadata=np.full(len(keys), None),
        embeddings=ROWS[keys % len(ROWS)],
    )


who = st.sampled_from(["ann", "bob", "cy", "dee"])
steps = st.one_of(
    st.tuples(st.just("enrol"), who, st.integers(0, 30)),
    st.tuples(st.just("erase_shots"), who, st.integers(1, 4)),
    st.tuples(st.just("erase_identity"), who),
    st.just(("compact",)),
)


@pytest.mark.parametrize("build", [partial(FaissIndex.build, compact_after=10), DictIndex.build], ids=["faiss", "dict"])
@given(script=st.lists(steps, max_size=25))
def test_a_followed_view_answers_as_one_built_anew(build: partial[FaissIndex], script: list[tuple[str, ...]]) -> None:
    records = Records()
    view = View.build(records.contents(), build)
    for name, *arguments in script:
        view = view.compacted() if name == "compact" else view.apply(getattr(records, name)(*arguments))
    queries = sign_vectors(2, seed=3)

    ranking = view.search(queries, Search(3))

    anew = View.build(records.contents(), build)
    people = {who: {f"s{key:03}": ROWS[key % len(ROWS)] for key in mine} for who, (_, mine) in records.people.items()}
    assert ranking == anew.search(queries, Search(3))
    assert ranking.identities == ranking_by_hand(people, queries, 3, "mean")
    assert view.info() == anew.info()


def test_a_change_leaves_the_view_before_it_as_it_was() -> None:
    records = Records()
    before = View.build(records.contents(), FaissIndex.build).apply(records.enrol("ann", 5))
    answer = before.search(ROWS[:1], Search(5))

    before.apply(records.enrol("bob", 5)).apply(records.erase_identity("ann")).compacted()

    assert before.search(ROWS[:1], Search(5)) == answer


def test_shots_of_nobody_are_refused() -> None:
    view = View.build(Records().contents(), FaissIndex.build)

    with pytest.raises(OutOfStep):
        view.apply(Change(1, enrolled=columns({99: [0]})))
