"""How close strangers come: tails of their largest evidence, on drawn people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import fit_calibration
from models.comparisons import compare_people
from models.strangers import HIGHEST_EVIDENCE, Tail, as_tails, fit_tails

TAIL = Tail(16, 0.9, 0.2, 0.1, 12.0)


def drawn_people(count: int, shots: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings (count x shots, 8) of people of whom some look alike: they come in kinds."""
    kinds = rng.standard_normal((count, 8)) * rng.choice([1.0, 0.35], (count, 1)) + 1.2
    rows = kinds[:, None] + 0.45 * rng.standard_normal((count, shots, 8))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    return rows.reshape(-1, 8).astype(np.float32), np.repeat(np.arange(count), shots)


@given(share=st.floats(1e-9, 0.2), more=st.floats(1.0, 10.0))
def test_what_a_share_reaches_is_reached_by_that_share(share: float, more: float) -> None:
    assert TAIL.reached(TAIL.evidence(share)) == pytest.approx(share, rel=1e-6)
    assert TAIL.evidence(share / more) >= TAIL.evidence(share)


@given(target=st.floats(1e-6, 0.9), identities=st.integers(1, 10**6))
def test_at_a_threshold_within_reach_no_more_than_the_target_are_taken_for_somebody(
    target: float, identities: int
) -> None:
    least = TAIL.fpir(HIGHEST_EVIDENCE, identities)

    assert TAIL.fpir(TAIL.threshold(target, identities), identities) <= max(target, least) * (1 + 1e-6)


def test_fewer_people_ask_for_a_higher_threshold_at_the_same_scale() -> None:
    thresholds = [Tail(16, 0.9, 0.2, 0.1, people).threshold(0.001, 16) for people in (1e6, 50.0, 5.0)]

    assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize(("people", "shots"), [(12, 8), (40, 4)])
def test_strangers_are_named_no_more_often_than_asked_though_few_people_were_seen(people: int, shots: int) -> None:
    targets, named = (0.01, 0.1), []
    for draw in range(60):
        rng = np.random.default_rng((people, draw))
        seen, enrolled, strangers = (drawn_people(people, shots, rng) for _ in range(3))
        calibration = fit_calibration(compare_people(*seen, np.arange(len(seen[1]))), "drawn people")
        similarities = (strangers[0] @ enrolled[0].T).reshape(len(strangers[0]), people, shots).max(axis=2).max(axis=1)
        reached = [calibration.similarity(calibration.threshold(target, people), shots) for target in targets]
        named.append([(similarities >= threshold).mean() for threshold in reached])

    once, often = np.mean(named, axis=0)
    assert (once < 0.01, 0.01 < often < 0.1) == (True, True)


def test_a_person_counts_once_however_many_crops_there_are_of_them() -> None:
    rng = np.random.default_rng(0)
    evidence, people = rng.uniform(0, 0.9, (60, 5)), np.arange(60)
    others = np.tile(np.arange(100, 105), (60, 1))
    loud = np.concatenate([evidence, np.repeat(evidence[:1], 500, axis=0)])

    quiet = fit_tails(evidence, people, others)[-1]
    tails = fit_tails(loud, np.concatenate([people, np.zeros(500, np.int64)]), np.tile(others[:1], (560, 1)))

    assert tails[-1].share == pytest.approx(quiet.share, abs=0.02)
    assert tails[-1].start == pytest.approx(quiet.start, abs=0.02)


def test_the_margin_is_that_of_leaving_everyone_out_in_turn() -> None:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(6), 2)
    others = np.array([[other for other in range(6) if other != one] for one in people])
    evidence = rng.uniform(0, 0.9, others.shape)
    tail = fit_tails(evidence, people, others)[-1]

    def scale(left_out: int | None) -> float:
        kept = people != left_out
        best = np.where(others == left_out, -1, evidence)[kept].max(axis=1)
        best = best[best > tail.start]
        return float(np.log((1 - tail.start) / (1 - best)).mean()) if len(best) else 0.0

    means = np.array([scale(one) for one in range(6)])
    variance = 5 / 6 * ((means - means.mean()) ** 2).sum()
    assert tail.scale == pytest.approx(scale(None))
    assert tail.people == pytest.approx(np.clip(scale(None) ** 2 / variance, 1, 1e6))


@pytest.mark.parametrize("value", [-0.2, 0.5, 1.0])
def test_strangers_who_are_all_the_same_can_be_fitted(value: float) -> None:
    tails = fit_tails(np.full((10, 3), value), np.arange(10), np.tile([20, 21, 22], (10, 1)))

    assert all(np.isfinite(tail.threshold(0.01, 10)) for tail in tails)


def test_tails_that_were_written_down_are_read_again() -> None:
    assert as_tails([vars(TAIL)]) == (TAIL,)
