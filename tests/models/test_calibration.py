"""Similarity to probability, and thresholds that keep their promise, on drawn people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import Calibration, Comparisons, IndistinctPeopleError, fit_calibration
from models.checkpoint import Checkpoint, Preprocessing, read_manifest
from models.comparisons import compare_people
from models.manifest import write_entry


def comparisons(genuine: int = 2000, impostors: int = 40_000, growth: float = 0.02, seed: int = 0) -> Comparisons:
    """Strangers around 0.3, the same person around 0.7; distances to 1 fall with the shots to the power `growth`."""
    rng = np.random.default_rng(seed)
    shots = np.exp2(rng.integers(0, 4, genuine + impostors))
    similarities = np.concatenate([rng.normal(0.7, 0.08, genuine), rng.normal(0.3, 0.08, impostors)])
    similarities = np.clip(1 - (1 - similarities) / shots**growth, -1, 1)
    pairs = Comparisons.of_pairs(similarities, np.arange(genuine + impostors) < genuine)
    return replace(pairs, shots=np.asarray(shots, np.float64))


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return fit_calibration(comparisons(), "drawn people")


@given(similarities=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), shots=st.integers(1, 1000))
def test_a_higher_similarity_never_makes_the_same_person_less_probable(
    similarities: tuple[float, float], shots: int
) -> None:
    calibration = fit_calibration(comparisons(200, 2000), "drawn people")
    low, high = (calibration.evidence(similarity, shots) for similarity in sorted(similarities))

    assert 0 <= calibration.probability(low) <= calibration.probability(high) <= 1
    assert calibration.false_match_rate(low) >= calibration.false_match_rate(high)


def test_the_discount_is_what_more_shots_are_worth_to_a_stranger() -> None:
    fitted = fit_calibration(comparisons(growth=0.1), "drawn people")

    assert fitted.discount == pytest.approx(0.1, abs=0.02)
    assert fitted.evidence(0.5, 8) < fitted.evidence(0.5, 2) < fitted.evidence(0.5, 1) == 0.5
    assert fitted.similarity(fitted.evidence(0.5, 8), 8) == pytest.approx(0.5)


@pytest.mark.parametrize("identities", [1, 10, 100, 1000])
@pytest.mark.parametrize("target", [0.01, 0.1])
def test_no_more_strangers_are_taken_for_somebody_than_was_asked_for(
    fitted: Calibration, identities: int, target: float
) -> None:
    rng = np.random.default_rng(identities)
    best = np.array([rng.normal(0.3, 0.08, identities).max() for _ in range(4000)])

    threshold = fitted.threshold(target, identities)

    assert target / 20 < (best >= threshold).mean() < 1.25 * target
    assert fitted.fpir(threshold, identities) == pytest.approx(target, rel=0.01)


@given(target=st.floats(1e-6, 0.999), identities=st.integers(1, 10**7))
def test_a_larger_gallery_never_lowers_the_threshold(target: float, identities: int) -> None:
    calibration = fit_calibration(comparisons(200, 2000), "drawn people")

    assert calibration.threshold(target, identities) <= calibration.threshold(target, identities + 1) + 1e-12
    assert calibration.threshold(target, identities) < 1


def test_probabilities_are_true_of_searches(fitted: Calibration) -> None:
    rng = np.random.default_rng(3)
    said, right = [], []
    for search in range(3000):
        similarities = rng.normal(0.3, 0.08, 50)
        if search % 2:
            similarities[0] = rng.normal(0.7, 0.08)
        order = np.argsort(-similarities)[:10]
        evidence = np.array([fitted.evidence(similarity, 1) for similarity in similarities[order]])
        said.append(fitted.probabilities(evidence, 50, 10)[0])
        right.append(order[0] == 0 and search % 2 == 1)
    bins = np.digitize(said, [0.2, 0.4, 0.6, 0.8])
    gaps = [
        abs(np.mean(np.array(said)[bins == at]) - np.mean(np.array(right)[bins == at])) * np.mean(bins == at)
        for at in set(bins.tolist())
    ]

    assert sum(gaps) < 0.05


@given(
    evidence=st.lists(st.floats(-1, 1), min_size=1, max_size=30),
    judged=st.integers(1, 30),
    others=st.integers(0, 10**6),
)
def test_probabilities_leave_room_for_nobody(evidence: list[float], judged: int, others: int) -> None:
    calibration = fit_calibration(comparisons(200, 2000), "drawn people")

    probabilities = calibration.probabilities(
        np.array(evidence), len(evidence) + others, judged=min(judged, len(evidence))
    )

    assert len(probabilities) == len(evidence)
    assert 0 <= probabilities.sum() <= 1 + 1e-9
    assert len(calibration.probabilities(np.empty(0), others, judged=0)) == 0


def test_who_is_told_beside_the_judged_changes_no_probability(fitted: Calibration) -> None:
    evidence = np.array([0.8, 0.7, 0.7, 0.69, 0.2])

    two, four, all_of_them = (fitted.probabilities(evidence[:told], 100, judged=2) for told in (2, 4, 5))

    assert two.tolist() == four[:2].tolist() == all_of_them[:2].tolist()
    assert four.tolist() == all_of_them[:4].tolist()
    assert np.all(np.diff(all_of_them) <= 0)


@pytest.mark.parametrize(("genuine", "impostors"), [(9, 5000), (5000, 99)])
def test_too_few_comparisons_are_refused(genuine: int, impostors: int) -> None:
    with pytest.raises(ValueError, match=f"there are {genuine} and {impostors}"):
        fit_calibration(comparisons(genuine, impostors), "drawn people")


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, 2.0])
def test_a_rate_that_is_none_is_refused(fitted: Calibration, target: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted.threshold(target, 10)


def test_people_that_share_no_similarity_can_be_fitted() -> None:
    apart = Comparisons.of_pairs(np.repeat([0.9, 0.1], 500), np.arange(1000) < 500)

    fitted = fit_calibration(apart, "")

    assert (fitted.probability(0.9) > 0.95, fitted.probability(0.1) < 0.05) == (True, True)
    assert fitted.equal_error_rate == 0


@pytest.mark.parametrize("similarities", [[0.5, 0.5], [0.1, 0.9], [0.3, 0.31]], ids=["alike", "upside down", "nearly"])
def test_pairs_of_one_person_that_are_no_more_alike_than_pairs_of_two_are_refused(similarities: list[float]) -> None:
    pairs = Comparisons.of_pairs(np.repeat(similarities, 500), np.arange(1000) < 500)

    with pytest.raises(IndistinctPeopleError, match="equal error rate"):
        fit_calibration(pairs, "")


def test_a_manifest_keeps_a_calibration(fitted: Calibration, tmp_path: Path) -> None:
    checkpoint = Checkpoint("a", "reid", "glcnn", Preprocessing((2, 1)), "a.safetensors", "ab", "here", "none", False)

    write_entry(tmp_path, replace(checkpoint, calibration=fitted))

    assert read_manifest(tmp_path)["a"].calibration == fitted


def test_people_are_compared_across_cameras_where_some_were_seen_by_two() -> None:
    embeddings = np.eye(6, dtype=np.float32)
    identities = np.array([1, 1, 1, 2, 2, 3])

    crossing = compare_people(embeddings, identities, np.array([1, 1, 2, 1, 1, 1]))
    one_camera = compare_people(embeddings, identities, np.ones(6, np.int64))

    assert (crossing.genuine.sum(), one_camera.genuine.sum()) == (3, 5)
    assert (~crossing.genuine).sum() == (~one_camera.genuine).sum() == 3 + 4 + 5
    assert set(crossing.shots) <= {1, 2, 3}
    assert crossing.identities == 3
    assert np.all(identities[crossing.queries] == crossing.people + 1)
    assert np.array_equal(crossing.people == crossing.others, crossing.genuine)
    assert np.bincount(crossing.queries[~crossing.genuine]).tolist() == [2] * 6


@pytest.mark.parametrize("people", [0, 1])
def test_nobody_and_one_alone_have_no_strangers(people: int) -> None:
    rows = np.eye(2, dtype=np.float32)[: 2 * people]

    compared = compare_people(rows, np.zeros(len(rows), np.int64), np.arange(len(rows)))

    assert (compared.genuine.sum(), len(compared.genuine), compared.identities) == (2 * people, 2 * people, people)
