"""Ranking identities: equal to brute force, blind to order, ties broken the same way."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.changes import SHOT_ID, Change, GalleryRow, IdentityName, ShotColumns
from app.gallery.domain import Aggregate, Embeddings, Search, ShotFilter
from app.gallery.faiss_index import FaissIndex
from app.gallery.index import IndexBuilder
from app.gallery.persistent import GrowingArray
from app.gallery.view import View
from tests.app.gallery.support import (
    CHECKPOINT,
    DIM,
    DictIndex,
    People,
    lists_of,
    random_vectors,
    ranking_by_hand,
    sign_vectors,
)

every_index = pytest.mark.parametrize(
    "build", [FaissIndex.build, DictIndex.build, lists_of("float32")], ids=["faiss", "dict", "lists"]
)
aggregates = st.sampled_from(["mean", "best"])


@st.composite
def crowds(draw: st.DrawFn) -> People:
    """Up to 40 people with up to 6 shots each, many of them alike, some without any."""
    rows = sign_vectors(draw(st.integers(1, 50)), draw(st.integers(0, 10_000)))
    counts = draw(st.lists(st.integers(0, 6), max_size=40))
    chosen = iter(draw(st.lists(st.integers(0, len(rows) - 1), min_size=sum(counts), max_size=sum(counts))))
    return {
        f"p{number * 7 % 41}": {f"{number:02}-{shot}": rows[next(chosen)] for shot in range(count)}
        for number, count in enumerate(counts)
    }


def view_of(people: People, build: IndexBuilder = FaissIndex.build, seed: int = 0) -> View:
    """The view of a gallery with these people, enrolled in an order that the seed decides."""
    names = [IdentityName(key, identity_id, None) for key, identity_id in enumerate(people)]
    shots = [(name.key, shot_id, row) for name in names for shot_id, row in people[name.identity_id].items()]
    order = np.random.default_rng(seed).permutation(len(shots))
    columns = ShotColumns(
        keys=np.arange(len(shots)),
        identity_keys=np.array([shots[at][0] for at in order], np.int64),
        shot_ids=np.array([shots[at][1] for at in order], SHOT_ID),
        cameras=np.full(len(shots), None),
        times=np.full(len(shots), np.nan),
        qualities=np.ones(len(shots), np.float32),
        metadata=np.full(len(shots), None),
        embeddings=np.array([shots[at][2] for at in order] or np.empty((0, DIM)), np.float32),
    )
    gallery = GalleryRow(1, "people", CHECKPOINT, DIM, None, {}, 0.0)
    return View.build(Change(7, gallery=gallery, named=tuple(names), enrolled=columns), build)


@every_index
@given(
    people=crowds(),
    query_count=st.sampled_from([1, 2, 4, 8]),
    seed=st.integers(0, 10_000),
    limit=st.integers(1, 45),
    aggregate=aggregates,
)
def test_a_ranking_is_what_brute_force_finds(
    build: IndexBuilder, people: People, query_count: int, seed: int, limit: int, aggregate: Aggregate
) -> None:
    queries = sign_vectors(query_count, seed)

    ranking = view_of(people, build).search(queries, Search(limit, aggregate))

    assert ranking.identities == ranking_by_hand(people, queries, limit, aggregate)
    assert ranking.gallery_version == 7


@given(people=crowds(), seeds=st.tuples(st.integers(), st.integers()), aggregate=aggregates)
def test_a_ranking_is_blind_to_the_order_of_enrolment(
    people: People, seeds: tuple[int, int], aggregate: Aggregate
) -> None:
    queries = random_vectors(3, seed=0)
    views = [view_of(people, seed=abs(seed)) for seed in seeds]

    one, other = (view.search(queries, Search(10, aggregate)).identities for view in views)

    assert one == other


@every_index
@pytest.mark.parametrize("aggregate", ["mean", "best"])
@pytest.mark.parametrize("query_count", [1, 5, 32])
def test_a_large_crowd_is_ranked_exactly(build: IndexBuilder, aggregate: Aggregate, query_count: int) -> None:
    rows = random_vectors(3000, seed=1)
    people = {
        f"p{number:04}": {f"{number:04}-{shot}": rows[3 * number + shot] for shot in range(3)} for number in range(1000)
    }
    queries = random_vectors(query_count, seed=2)

    ranking = view_of(people, build).search(queries, Search(12, aggregate))

    by_hand = ranking_by_hand(people, queries, 12, aggregate)
    assert [one.identity_id for one in ranking.identities] == [one.identity_id for one in by_hand]
    assert [one.similarity for one in ranking.identities] == pytest.approx([one.similarity for one in by_hand])


@every_index
@pytest.mark.parametrize("dim", [16, 100, 512])
@pytest.mark.parametrize("query_count", [1, 5])
def test_a_crowd_of_doubles_comes_in_order_of_ids(build: IndexBuilder, dim: int, query_count: int) -> None:
    rows = random_vectors(query_count + 1, seed=dim, dim=dim)
    names = [f"p{number:03}" for number in np.random.default_rng(0).permutation(150)]
    people = {name: {f"{name}-{shot}": rows[0] for shot in range(2)} for name in names}

    ranking = view_of(people, build).search(rows[1:], Search(5))

    assert [one.identity_id for one in ranking.identities] == ["p000", "p001", "p002", "p003", "p004"]
    assert [one.best_shot.shot_id for one in ranking.identities][:2] == ["p000-0", "p001-0"]


@every_index
def test_doubles_among_others_come_in_order_of_ids(build: IndexBuilder) -> None:
    query, others = random_vectors(1, seed=4, dim=100), random_vectors(480, seed=5, dim=100)
    names = [f"p{number:02}" for number in np.random.default_rng(0).permutation(12)]
    people = {name: {f"{name}-{shot}": query[0] for shot in range(10)} for name in names}
    people |= {f"a{at}": {f"a{at}-{shot}": others[40 * at + shot] for shot in range(40)} for at in range(12)}

    ranking = view_of(people, build).search(query, Search(5))

    assert [one.identity_id for one in ranking.identities] == ["p00", "p01", "p02", "p03", "p04"]
    assert [one.best_shot.shot_id for one in ranking.identities][:2] == ["p00-0", "p01-0"]


@every_index
def test_one_person_with_most_of_the_shots_does_not_crowd_out_the_others(build: IndexBuilder) -> None:
    rows = random_vectors(2000, seed=3)
    near = rows[:1] + 0.1 * rows
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    people: dict[str, dict[str, Embeddings]] = {"star": {f"s{at}": row for at, row in enumerate(near)}}
    people |= {f"p{at}": {f"p{at}-0": rows[at]} for at in range(1, 20)}

    ranking = view_of(people, build).search(rows[:1], Search(15))

    assert len(ranking.identities) == 15
    assert (ranking.identities[0].identity_id, ranking.identities[0].shots) == ("star", 2000)


def test_several_crops_are_fused_as_asked() -> None:
    a, b, between = np.eye(DIM, dtype=np.float32)[:3]
    between = ((a + b) / np.sqrt(2)).astype(np.float32)
    people = {"a": {"a-0": a}, "both": {"both-0": between}}
    queries = np.stack([a, b])

    mean = view_of(people).search(queries, Search(2)).identities
    best = view_of(people).search(queries, Search(2, "best")).identities

    assert [(one.identity_id, round(one.similarity, 3)) for one in mean] == [("both", 0.707), ("a", 0.5)]
    assert [(one.identity_id, round(one.similarity, 3)) for one in best] == [("a", 1.0), ("both", 0.707)]


def test_a_similarity_is_never_above_one() -> None:
    rows = random_vectors(200, seed=5, dim=DIM) * np.float32(1.0005)
    people = {f"p{at}": {f"p{at}-0": row} for at, row in enumerate(rows)}

    found = [view_of(people).search(row[None], Search(1)).identities[0] for row in rows]

    assert max(one.similarity for one in found) == 1.0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Search(limit)


@every_index
@pytest.mark.parametrize("search", [Search(1), Search(7), Search(60), Search(3, rerank="k_reciprocal")])
def test_the_same_people_are_judged_however_many_are_listed(build: IndexBuilder, search: Search) -> None:
    rows = random_vectors(600, seed=3)
    people = {f"p{at:03}": {f"{at:03}-{shot}": rows[3 * at + shot] for shot in range(1 + at % 3)} for at in range(200)}
    queries = random_vectors(2, seed=4)

    ranking = view_of(people, build).search(queries, search)

    by_hand = ranking_by_hand(people, queries, 50 if search.rerank else 10, "mean")
    judged, listed = ranking.judged, ranking.identities[: 50 if search.rerank else 10]
    assert judged.similarities[: len(listed)] == [one.similarity for one in listed]
    assert judged.shots[: len(listed)] == [one.shots for one in listed]
    assert sorted(judged.similarities) == pytest.approx(sorted(one.similarity for one in by_hand))
    assert sorted(judged.shots) == sorted(one.shots for one in by_hand)


@every_index
def test_whoever_is_as_alike_as_the_last_who_is_judged_is_judged_too(build: IndexBuilder) -> None:
    query, others = random_vectors(1, seed=4), random_vectors(300, seed=5)
    people = {f"twin{at:02}": {f"t{at:02}": query[0]} for at in range(70)}
    people |= {f"p{at:03}": {f"p{at:03}": row} for at, row in enumerate(others)}

    judged = [len(view_of(people, build).search(query, Search(limit)).judged.shots) for limit in (1, 9, 10, 11, 200)]

    assert judged == [70] * 5


def test_a_filter_says_how_many_shots_the_judged_have() -> None:
    rows = random_vectors(90, seed=6)
    people = {f"p{at:02}": {f"{at:02}-{shot}": rows[3 * at + shot] for shot in range(3)} for at in range(30)}
    view = view_of(people)
    cameras = np.array([["c1", "c2"][int(shot_id.decode()[-1]) % 2] for shot_id in view.roster.shot_ids.rows], object)
    view = replace(view, roster=replace(view.roster, cameras=GrowingArray(cameras)))

    ranking = view.search(rows[:1], Search(2, filter=ShotFilter(cameras=frozenset({"c1"}))))

    assert ranking.judged.shots == [2] * 10
