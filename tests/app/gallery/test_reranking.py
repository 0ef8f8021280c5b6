"""Re-ranking of a neighbourhood: the same distances as the evaluation's, and a ranking that uses them."""

import numpy as np
import pytest

from app.gallery.domain import Search
from app.gallery.reranking import k_reciprocal_distances
from tests.app.gallery.support import random_vectors
from tests.app.gallery.test_ranking import view_of
from training.reranking import k_reciprocal_distances as over_everything


@pytest.mark.parametrize(("queries", "shots"), [(1, 60), (4, 200), (3, 5), (1, 1)])
def test_the_distances_are_those_of_the_evaluation(queries: int, shots: int) -> None:
    rows = random_vectors(queries + shots, seed=shots)

    here = k_reciprocal_distances(rows[:queries], rows[queries:])

    np.testing.assert_allclose(here, over_everything(rows[:queries], rows[queries:]), atol=1e-5)


def test_who_shares_neighbours_with_the_query_overtakes_who_is_merely_near() -> None:
    rng = np.random.default_rng(0)
    centre, other = random_vectors(2, seed=8)

    def around(point: np.ndarray[tuple[int], np.dtype[np.float32]], count: int, spread: float) -> list[np.ndarray]:
        rows = point + spread * rng.standard_normal((count, len(point)))
        return list(np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32))

    own, strangers = around(centre, 20, 0.12), around(other, 25, 0.12)
    between = (0.55 * centre + 0.45 * other) / np.linalg.norm(0.55 * centre + 0.45 * other)
    people = {"own": {f"o{at:02}": row for at, row in enumerate(own)}}
    people |= {"near": {f"s{at:02}": row for at, row in enumerate(strangers)} | {"n00": between.astype(np.float32)}}
    people |= {f"p{at}": {f"p{at}": row} for at, row in enumerate(random_vectors(30, seed=3))}
    query = np.asarray(around(centre, 1, 0.12))

    plain = view_of(people).search(query, Search(5)).identities
    reranked = view_of(people).search(query, Search(5, rerank="k_reciprocal")).identities

    assert {one.reranked_distance for one in plain} == {None}
    assert reranked[0].identity_id == "own"
    distances = [one.reranked_distance for one in reranked]
    assert None not in distances
    assert distances == sorted(distances)  # type: ignore[type-var]
    assert {one.identity_id: one.similarity for one in reranked}["own"] == plain[0].similarity


def test_only_the_best_are_ranked_again_and_the_others_follow() -> None:
    rows = random_vectors(300, seed=6)
    people = {f"p{at:03}": {f"p{at:03}": row} for at, row in enumerate(rows)}

    plain = view_of(people).search(rows[:1], Search(120)).identities
    reranked = view_of(people).search(rows[:1], Search(120, rerank="k_reciprocal")).identities

    assert [one.identity_id for one in reranked[50:]] == [one.identity_id for one in plain[50:]]
    assert {one.identity_id for one in reranked[:50]} == {one.identity_id for one in plain[:50]}
    assert [one.rank for one in reranked] == list(range(1, 121))


def test_more_doubles_than_a_neighbourhood_holds_are_equally_near() -> None:
    row = random_vectors(1, seed=7)

    distances = k_reciprocal_distances(row, np.repeat(row, 60, axis=0))

    assert np.isfinite(distances).all()
    assert distances.max() <= 1


def test_nobody_can_be_ranked_again() -> None:
    assert view_of({}).search(random_vectors(1, seed=0), Search(5, rerank="k_reciprocal")).identities == []
