"""Re-ranking against a slow, plain implementation of the paper, one image at a time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.reranking import k_reciprocal_distances

Matrix = NDArray[np.float64]


def reciprocal_set(ranked: NDArray[np.int64], i: int, k: int) -> set[int]:
    """R(i, k): the k nearest of i (and i) that have i among their k nearest (equation 3)."""
    return {int(j) for j in ranked[i, : k + 1] if i in ranked[j, : k + 1]}


def expanded_set(ranked: NDArray[np.int64], i: int, k: int) -> set[int]:
    """R*(i, k): with the half-size sets of members that share more than two thirds of theirs (equation 5)."""
    members = reciprocal_set(ranked, i, k)
    expanded = set(members)
    for j in members:
        theirs = reciprocal_set(ranked, j, round(k / 2))
        if len(theirs & members) > 2 / 3 * len(theirs):
            expanded |= theirs
    return expanded


def slow_distances(query: Matrix, gallery: Matrix, k1: int, k2: int, original_weight: float) -> Matrix:
    features = np.concatenate((query, gallery))
    count = len(features)
    distances = np.array([[((a - b) ** 2).sum() for b in features] for a in features])
    distances /= distances.max(axis=1, keepdims=True)
    ranked = np.argsort(distances, axis=1, kind="stable")
    vectors = np.zeros((count, count))
    for i in range(count):
        for j in expanded_set(ranked, i, k1):
            vectors[i, j] = np.exp(-distances[i, j])
        vectors[i] /= vectors[i].sum()
    vectors = np.array([vectors[ranked[i, :k2]].mean(axis=0) for i in range(count)])
    result = np.zeros((len(query), len(gallery)))
    for i in range(len(query)):
        for g in range(len(gallery)):
            j = len(query) + g
            shared = np.minimum(vectors[i], vectors[j]).sum() / np.maximum(vectors[i], vectors[j]).sum()
            result[i, g] = (1 - original_weight) * (1 - shared) + original_weight * distances[i, j]
    return result


def people(seed: int, queries: int, gallery: int, spread: float = 0.6) -> tuple[Matrix, Matrix]:
    """Unit features scattered around eight people."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(8, 16))
    features = centers[rng.integers(0, 8, queries + gallery)] + spread * rng.normal(size=(queries + gallery, 16))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features[:queries], features[queries:]


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (7, 3), (6, 1), (5, 2), (1, 1)])
@pytest.mark.parametrize("original_weight", [0.3, 0.0])
def test_the_distances_are_those_of_the_paper(k1: int, k2: int, original_weight: float) -> None:
    query, gallery = people(seed=k1, queries=9, gallery=60)

    fast = k_reciprocal_distances(query, gallery, k1, k2, original_weight)

    assert fast == pytest.approx(slow_distances(query, gallery, k1, k2, original_weight), abs=1e-5)


def test_a_gallery_smaller_than_the_neighbourhood_is_ranked_all_the_same() -> None:
    query, gallery = people(seed=0, queries=2, gallery=5)

    fast = k_reciprocal_distances(query, gallery)

    assert fast == pytest.approx(slow_distances(query, gallery, 20, 6, 0.3), abs=1e-5)


def test_work_in_blocks_gives_what_one_block_gives() -> None:
    query, gallery = people(seed=1, queries=40, gallery=700)

    fast = k_reciprocal_distances(query, gallery)

    few = k_reciprocal_distances(query[:1], np.concatenate((query[1:], gallery)))
    assert fast[:1] == pytest.approx(few[:, 39:], abs=1e-5)


def test_the_original_distance_alone_is_the_scaled_one() -> None:
    query, gallery = people(seed=2, queries=4, gallery=30)
    everyone = np.concatenate((query, gallery))
    distances = np.square(query[:, None] - everyone).sum(axis=2)

    only_original = k_reciprocal_distances(query, gallery, original_weight=1.0)

    expected = (distances / distances.max(axis=1, keepdims=True))[:, 4:]
    assert only_original == pytest.approx(expected, abs=1e-5)


def test_identical_images_are_ranked_without_a_division_by_zero() -> None:
    same = np.ones((4, 3))

    assert np.isfinite(k_reciprocal_distances(same, same)).all()


@pytest.mark.parametrize(("k1", "k2"), [(0, 6), (20, 0)])
def test_neighbourhoods_must_not_be_empty(k1: int, k2: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        k_reciprocal_distances(np.ones((1, 2)), np.ones((1, 2)), k1, k2)
