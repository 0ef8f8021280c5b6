"""Scores of age estimates."""

import numpy as np
import pytest

from training.gait_metrics import cumulative_score, mean_absolute_error

ESTIMATED, TRUE = np.array([20.0, 31.5, 7.0, 60.0]), np.array([25, 30, 7, 50])


def test_mae_is_in_years() -> None:
    assert mean_absolute_error(ESTIMATED, TRUE) == (5 + 1.5 + 0 + 10) / 4


@pytest.mark.parametrize(("years", "share"), [(0, 0.25), (1, 0.25), (1.5, 0.5), (5, 0.75), (10, 1)])
def test_cs_counts_errors_up_to_its_years(years: float, share: float) -> None:
    assert cumulative_score(ESTIMATED, TRUE, years) == share


@pytest.mark.parametrize("count", [0, 3])
def test_estimates_must_fit_the_ages(count: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        mean_absolute_error(ESTIMATED[:count], TRUE[: 0 if count == 0 else 4])
