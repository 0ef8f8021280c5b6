"""Decisions and probabilities: the same ones however many identities are listed."""

import numpy as np
import pytest

from app.gallery.domain import Rerank, Search
from app.pipelines.decision import Basis, decide
from models.calibration import Comparisons, fit_calibration
from models.checkpoint import Checkpoint, Preprocessing
from tests.app.gallery.support import People, random_vectors
from tests.app.gallery.test_ranking import view_of


def basis() -> Basis:
    """Strangers around 0, the same person around 0.7."""
    rng = np.random.default_rng(0)
    similarities = np.concatenate([rng.normal(0.7, 0.1, 500), rng.normal(0, 0.25, 20_000)]).clip(-1, 1)
    pairs = Comparisons.of_pairs(similarities, np.arange(len(similarities)) < 500)
    checkpoint = Checkpoint("a", "reid", "a", Preprocessing((2, 1)), "a.safetensors", "ab", "here", "none", False)
    return Basis(checkpoint, fit_calibration(pairs, "drawn people"), "gallery")


def crowd(twins: int, others: int) -> People:
    """Some who are one and the same person, and others."""
    rows = random_vectors(1 + others, seed=1)
    people = {f"twin{at:03}": {f"t{at:03}": rows[0]} for at in range(twins)}
    return people | {f"p{at:03}": {f"p{at:03}": row} for at, row in enumerate(rows[1:])}


@pytest.mark.parametrize("rerank", [None, "k_reciprocal"])
@pytest.mark.parametrize("twins", [1, 4, 15, 70])
def test_probabilities_do_not_depend_on_the_limit(twins: int, rerank: Rerank | None) -> None:
    view, judged_by = view_of(crowd(twins, others=200)), basis()
    query = random_vectors(1, seed=1)

    decisions = [
        decide(view.search(query, Search(limit, rerank=rerank)), judged_by, None) for limit in (1, 3, 10, 11, 60, 270)
    ]

    longest = decisions[-1].probabilities
    assert longest is not None
    for decision in decisions:
        assert decision.probabilities == longest[: len(decision.probabilities or [])]
    assert len({decision.unknown_probability for decision in decisions}) == 1
    assert len({(decision.verdict, decision.threshold) for decision in decisions}) == 1
    assert longest[0] == pytest.approx(1 / twins, abs=0.1 / twins)


def test_what_the_probabilities_of_a_small_gallery_leave_is_that_the_person_is_unknown() -> None:
    decision = decide(view_of(crowd(1, others=4)).search(random_vectors(1, seed=9), Search(5)), basis(), None)

    assert decision.probabilities is not None
    assert decision.unknown_probability is not None
    assert sum(decision.probabilities) + decision.unknown_probability == pytest.approx(1)
    assert decision.verdict == "unknown"


def test_an_empty_gallery_leaves_nothing_but_unknown() -> None:
    decision = decide(view_of({}).search(random_vectors(1, seed=1), Search(5)), basis(), None)

    assert (decision.verdict, decision.probabilities, decision.unknown_probability) == ("unknown", [], 1.0)
