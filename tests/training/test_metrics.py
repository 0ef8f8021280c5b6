"""CMC and mAP against rankings that can be counted by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from training.metrics import (
    ALL_SHOTS,
    CUHK03_CLASSIC,
    MARKET,
    SEPARATE_CAMERAS,
    Ids,
    Protocol,
    cmc_curve,
    cosine_similarities,
    retrieval_scores,
    squared_l2,
)

PROTOCOLS = [MARKET, ALL_SHOTS, SEPARATE_CAMERAS, CUHK03_CLASSIC]

# One query, person 7 in camera 0; the gallery in order of similarity.
QUERY = np.array([7]), np.array([0])
GALLERY_IDS = np.array([7, 3, 7, 4, 3, 7, 3])
GALLERY_CAMERAS = np.array([0, 1, 1, 0, 2, 2, 1])
SIMILARITIES = np.linspace(1, 0, 7)[None]
ARGUMENTS = SIMILARITIES, QUERY[0], GALLERY_IDS, QUERY[1], GALLERY_CAMERAS


def random_case(seed: int) -> tuple[NDArray[np.float64], Ids, Ids, Ids, Ids]:
    rng = np.random.default_rng(seed)
    query_ids, gallery_ids = rng.integers(0, 8, 12), rng.integers(0, 8, 60)
    return rng.random((12, 60)), query_ids, gallery_ids, rng.integers(0, 3, 12), rng.integers(0, 3, 60)


def test_same_camera_images_of_the_person_are_left_out() -> None:
    scores = retrieval_scores(*ARGUMENTS, max_rank=4)

    # Ranking without the first image: 3, 7, 4, 3, 7, 3.
    assert scores.cmc.tolist() == [0, 1, 1, 1]
    assert scores.mean_average_precision == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert (scores.valid_queries, scores.rank(1), scores.rank(99)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [(MARKET, [0, 1, 1, 1]), (ALL_SHOTS, [0, 0.5, 0.5, 1]), (SEPARATE_CAMERAS, [0, 1, 1, 1])],
)
def test_each_protocol_counts_what_it_says(protocol: Protocol, expected: list[float]) -> None:
    assert cmc_curve(*ARGUMENTS, protocol, max_rank=4).tolist() == expected


def test_leaving_out_the_camera_shortens_the_ranking() -> None:
    # The nearest wrong image is of the query's camera.
    arguments = np.array([[0.9, 0.5]]), np.array([7]), np.array([3, 7]), np.array([0]), np.array([0, 1])

    assert cmc_curve(*arguments, MARKET, max_rank=2).tolist() == [0, 1]
    assert cmc_curve(*arguments, SEPARATE_CAMERAS, max_rank=2).tolist() == [1, 1]


def test_single_shots_are_drawn_as_the_reference_draws_them() -> None:
    similarities, query_ids, gallery_ids, query_cameras, gallery_cameras = random_case(3)
    drawn, hits, valid = np.random.RandomState(5), np.zeros(60), 0
    for row, identity, camera in zip(similarities, query_ids, query_cameras, strict=True):
        order = [j for j in np.argsort(-row) if gallery_cameras[j] != camera]
        if not any(gallery_ids[j] == identity for j in order):
            continue
        valid += 1
        places: dict[int, list[int]] = {}
        for place, j in enumerate(order):
            places.setdefault(int(gallery_ids[j]), []).append(place)
        for _ in range(10):
            kept = sorted(drawn.choice(list_of_places) for list_of_places in places.values())
            hits[[gallery_ids[order[place]] for place in kept].index(identity)] += 0.1

    curve = cmc_curve(
        similarities, query_ids, gallery_ids, query_cameras, gallery_cameras, CUHK03_CLASSIC, max_rank=60, seed=5
    )

    assert curve == pytest.approx(np.cumsum(hits) / valid)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000))
def test_cmc_never_falls_and_ends_at_one(protocol: Protocol, seed: int) -> None:
    curve = cmc_curve(*random_case(seed), protocol, max_rank=60)

    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == pytest.approx(1)


@pytest.mark.parametrize("protocol", [MARKET, ALL_SHOTS, SEPARATE_CAMERAS])
def test_cmc_is_blind_to_the_order_of_the_gallery(protocol: Protocol) -> None:
    similarities, query_ids, gallery_ids, query_cameras, gallery_cameras = random_case(0)
    order = np.random.default_rng(1).permutation(60)

    shuffled = cmc_curve(
        similarities[:, order], query_ids, gallery_ids[order], query_cameras, gallery_cameras[order], protocol
    )

    original = cmc_curve(similarities, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol)
    assert shuffled == pytest.approx(original)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000))
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    similarities, query_ids, gallery_ids, query_cameras, gallery_cameras = random_case(seed)
    expected = []
    for row, identity, camera in zip(similarities, query_ids, query_cameras, strict=True):
        kept = (gallery_ids != identity) | (gallery_cameras != camera)
        if (gallery_ids[kept] == identity).any():
            expected.append(average_precision_score(gallery_ids[kept] == identity, row[kept]))

    scores = retrieval_scores(similarities, query_ids, gallery_ids, query_cameras, gallery_cameras)

    assert scores.mean_average_precision == pytest.approx(np.mean(expected))
    assert scores.valid_queries == len(expected)


def test_the_trapezoid_begins_at_one_and_averages_neighbouring_precisions() -> None:
    # Ranking: wrong, right, wrong, wrong, right, wrong.
    trapezoid = retrieval_scores(*ARGUMENTS, trapezoid=True).mean_average_precision
    # With the query in another camera the first image counts: right, wrong, right, wrong, wrong, right, wrong.
    elsewhere = *ARGUMENTS[:3], np.array([9]), GALLERY_CAMERAS

    assert trapezoid == pytest.approx(((0 + 1 / 2) / 2 + (1 / 4 + 2 / 5) / 2) / 2)
    assert retrieval_scores(*elsewhere, trapezoid=True).mean_average_precision == pytest.approx(
        ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 5 + 3 / 6) / 2) / 3
    )


@pytest.mark.parametrize("identity", [9, -1])
def test_queries_without_a_right_answer_do_not_count(identity: int) -> None:
    arguments = SIMILARITIES, np.array([identity]), np.where(GALLERY_IDS == 3, -1, GALLERY_IDS), QUERY[1]

    with pytest.raises(ValueError, match="no query has a right answer"):
        retrieval_scores(*arguments, GALLERY_CAMERAS)
    with pytest.raises(ValueError, match="no query has a right answer"):
        cmc_curve(*arguments, GALLERY_CAMERAS)


def test_similarities_and_distances_are_those_between_rows() -> None:
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))

    cosines, distances = cosine_similarities(query, gallery), squared_l2(query, gallery)

    for i, q in enumerate(query):
        for j, g in enumerate(gallery):
            assert cosines[i, j] == pytest.approx(q @ g / (np.linalg.norm(q) * np.linalg.norm(g)))
            assert distances[i, j] == pytest.approx(((q - g) ** 2).sum())
