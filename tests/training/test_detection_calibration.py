"""The logistic of the built-in detector's scores."""

import numpy as np
import pytest

from training.detection_calibration import fit_logistic


def test_the_logistic_that_made_the_answers_is_found_again() -> None:
    random = np.random.default_rng(0)
    evidence = random.uniform(0, 4, 20_000)
    right = random.uniform(size=20_000) < 1 / (1 + np.exp(-(2 * evidence - 3)))

    slope, offset = fit_logistic(evidence, right)

    assert slope == pytest.approx(2, abs=0.1)
    assert offset == pytest.approx(-3, abs=0.15)


@pytest.mark.parametrize("right", [[True] * 4, [False] * 4, [False, False, True, True]], ids=["all", "none", "apart"])
def test_evidence_that_tells_right_from_wrong_entirely_is_refused(right: list[bool]) -> None:
    with pytest.raises(ValueError, match="entirely"):
        fit_logistic(np.arange(4.0), np.array(right))
