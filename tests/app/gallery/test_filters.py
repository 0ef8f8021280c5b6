"""Filtered searches: as many results as exist, and the same ones that brute force finds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.changes import SHOT_ID, Change, GalleryRow, IdentityName, ShotColumns
from app.gallery.domain import Aggregate, NewShot, Search, ShotFilter
from app.gallery.errors import VersionNotReached
from app.gallery.faiss_index import FaissIndex
from app.gallery.gallery import GalleryStore
from app.gallery.view import View
from tests.app.gallery.support import CHECKPOINT, DIM, open_store, random_vectors, ranking_by_hand, sign_vectors

CAMERAS = (None, "c1", "c2", "c3")
METADATA: tuple[dict[str, Any], ...] = ({}, {"door": 1}, {"door": True, "floor": 2}, {"door": [1, {"a": None}]})

filters = st.builds(
    ShotFilter,
    cameras=st.none() | st.frozensets(st.sampled_from(["c1", "c2", "c9"])),
    without_cameras=st.frozensets(st.sampled_from(["c1", "c3"])),
    taken_from=st.none() | st.integers(0, 100).map(float),
    taken_before=st.none() | st.integers(0, 100).map(float),
    metadata=st.sampled_from(METADATA),
)


def taken_by_hand(wanted: ShotFilter, shot: NewShot) -> bool:
    if wanted.cameras is not None and shot.camera not in wanted.cameras:
        return False
    if shot.camera in wanted.without_cameras:
        return False
    if wanted.taken_from is not None and not (shot.taken_at is not None and shot.taken_at >= wanted.taken_from):
        return False
    if wanted.taken_before is not None and not (shot.taken_at is not None and shot.taken_at < wanted.taken_before):
        return False
    return all(repr(shot.metadata.get(key, "none")) == repr(value) for key, value in wanted.metadata.items())


def crowd(count: int, seed: int) -> list[NewShot]:
    chance = np.random.default_rng(seed)
    return [
        NewShot(
            row,
            camera=CAMERAS[chance.integers(4)],
            taken_at=None if chance.random() < 0.2 else float(chance.integers(100)),
            metadata=METADATA[chance.integers(4)],
            quality=float(chance.random()),
        )
        for row in sign_vectors(count, seed)
    ]


def view_of(shots: list[NewShot], identities: int) -> View:
    """A view in which each shot belongs to the person of its place, counted in turns."""
    columns = ShotColumns(
        keys=np.arange(len(shots)),
        identity_keys=np.arange(len(shots)) % identities,
        shot_ids=np.array([f"{at:05}" for at in range(len(shots))], SHOT_ID),
        cameras=np.array([shot.camera for shot in shots], object),
        times=np.array([shot.taken_at for shot in shots], np.float64),
        qualities=np.array([shot.quality for shot in shots], np.float32),
        metadata=np.array([shot.metadata or None for shot in shots], object),
        embeddings=np.array([shot.embedding for shot in shots], np.float32).reshape(-1, DIM),
    )
    named = tuple(IdentityName(key, f"p{key}", None) for key in range(identities))
    gallery = GalleryRow(1, "people", CHECKPOINT, DIM, None, {}, 0.0)
    return View.build(Change(1, gallery=gallery, named=named, enrolled=columns), FaissIndex.build)


@given(
    wanted=filters,
    count=st.integers(0, 80),
    seed=st.integers(0, 1000),
    limit=st.integers(1, 20),
    aggregate=st.sampled_from(["mean", "best"]),
)
def test_a_filtered_ranking_is_what_brute_force_finds(
    wanted: ShotFilter, count: int, seed: int, limit: int, aggregate: Aggregate
) -> None:
    shots, queries = crowd(count, seed), sign_vectors(2, seed + 1)
    people: dict[str, dict[str, np.ndarray]] = {f"p{key}": {} for key in range(7)}
    for at, shot in enumerate(shots):
        if taken_by_hand(wanted, shot):
            people[f"p{at % 7}"][f"{at:05}"] = shot.embedding

    ranking = view_of(shots, 7).search(queries, Search(limit, aggregate, filter=wanted))

    found = [replace(one, best_shot=replace(one.best_shot, camera=None)) for one in ranking.identities]
    assert found == ranking_by_hand(people, queries, limit, aggregate)
    if not wanted.takes_all:
        assert ranking.searched == sum(bool(mine) for mine in people.values())


def test_a_filter_that_takes_much_of_a_large_gallery_is_exact_too() -> None:
    rows = random_vectors(24_000, seed=1)
    shots = [NewShot(row, camera="c1" if at % 7 else "c2") for at, row in enumerate(rows)]
    people = {f"p{key}": {f"{at:05}": rows[at] for at in range(key, len(rows), 3000) if at % 7} for key in range(3000)}
    queries = random_vectors(2, seed=2)

    ranking = view_of(shots, 3000).search(queries, Search(15, filter=ShotFilter(cameras=frozenset({"c1"}))))

    by_hand = ranking_by_hand(people, queries, 15, "mean")
    assert [one.identity_id for one in ranking.identities] == [one.identity_id for one in by_hand]
    assert [one.similarity for one in ranking.identities] == pytest.approx([one.similarity for one in by_hand])


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return open_store(tmp_path)


def test_filters_hold_after_changes_and_after_a_new_start(tmp_path: Path) -> None:
    store, rows = open_store(tmp_path), random_vectors(6, seed=4)
    for at, camera in enumerate(("c1", "c2", "c1", None)):
        store.enrol("people", f"p{at}", [NewShot(rows[at], camera=camera, taken_at=float(at))], CHECKPOINT)
    store.delete_identity("people", "p2")

    def found(store: GalleryStore, **conditions: object) -> list[str]:
        wanted = ShotFilter(**conditions)  # type: ignore[arg-type]
        ranking = store.search("people", rows[:1], Search(9, filter=wanted), CHECKPOINT)
        return sorted(one.identity_id for one in ranking.identities)

    for _ in range(2):
        assert found(store, cameras=frozenset({"c1"})) == ["p0"]
        assert found(store, without_cameras=frozenset({"c1"})) == ["p1", "p3"]
        assert found(store, taken_from=1.0) == ["p1", "p3"]
        store.close()
        store = open_store(tmp_path)
    store.close()


def test_good_crops_and_good_shots_count_more_where_quality_is_asked_for(store: GalleryStore) -> None:
    a, b = np.eye(DIM, dtype=np.float32)[:2]
    store.enrol("people", "ann", [NewShot(a, quality=0.9)], CHECKPOINT)
    store.enrol("people", "bob", [NewShot(b, quality=0.9)], CHECKPOINT)

    def first(aggregate: Aggregate, qualities: tuple[float, ...]) -> str:
        search = Search(1, aggregate, qualities)
        return store.search("people", np.stack([a, a, b]), search, CHECKPOINT).identities[0].identity_id

    assert first("mean", (0.1, 0.1, 0.9)) == "ann"
    assert first("quality", (0.1, 0.1, 0.9)) == "bob"
    assert first("quality", (0.0, 0.0, 0.0)) == "ann"
    store.close()


def test_a_poor_shot_that_happens_to_be_alike_counts_less(store: GalleryStore) -> None:
    query = random_vectors(1, seed=1)
    rows = query + 0.05 * random_vectors(3, seed=2)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    order = np.argsort(-(rows @ query[0]))
    for name, quality in (("good", 1.0), ("poor", 0.01)):
        shots = [NewShot(rows[order[0]], quality=quality), NewShot(rows[order[2]], quality=1.0)]
        store.enrol("people", name, shots, CHECKPOINT)

    ranking = store.search("people", query, Search(2, "quality"), CHECKPOINT).identities

    assert [one.identity_id for one in ranking] == ["good", "poor"]
    assert all(rows[order[2]] @ query[0] - 1e-6 <= one.similarity <= one.best_shot.similarity for one in ranking)
    store.close()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Search(1, qualities=(0.5, 1.1)), "0 to 1"),
        (lambda: Search(1, qualities=(-0.1,)), "0 to 1"),
    ],
)
def test_unusable_qualities_are_refused(call: Callable[[], Search], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_qualities_belong_to_crops(store: GalleryStore) -> None:
    with pytest.raises(ValueError, match="2 qualities for 1 queries"):
        store.search("people", random_vectors(1, seed=0), Search(1, qualities=(1.0, 1.0)), CHECKPOINT)
    store.close()


def test_a_search_reads_what_was_written_or_says_that_it_cannot(store: GalleryStore) -> None:
    rows = random_vectors(2, seed=0)
    version = store.enrol("people", "ann", [NewShot(rows[0])], CHECKPOINT).gallery_version

    assert store.search("people", rows[:1], Search(1, min_version=version), CHECKPOINT).gallery_version == version
    with pytest.raises(VersionNotReached) as caught:
        store.search("people", rows[:1], Search(1, min_version=version + 1), CHECKPOINT)

    assert (caught.value.wanted, caught.value.current) == (2, 1)
    store.close()
