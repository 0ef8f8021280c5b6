"""Intervals of ages: they hold as often as they say, and are as wide as the distribution is unsure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.conformal import age_interval, fit_margin
from tests.models.distributions import bells

LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), level=LEVELS, claimed=st.floats(0.3, 3.0))
def test_intervals_hold_as_often_as_they_say_however_sure_the_network_claims_to_be(
    seed: int, level: float, claimed: float
) -> None:
    rng = np.random.default_rng(seed)
    means, spreads = rng.uniform(15, 75, size=6000), rng.uniform(1, 6, size=6000)
    ages = np.round(rng.normal(means, spreads))
    told = bells(means, claimed * spreads)

    margin = fit_margin(told[:3000], ages[:3000], level)
    low, high = age_interval(told[3000:], level, margin)

    held = ((low <= ages[3000:]) & (ages[3000:] <= high)).mean()
    assert held == pytest.approx(level, abs=0.05)


def test_who_is_told_less_surely_gets_a_wider_interval() -> None:
    low, high = age_interval(bells([40.0, 40.0], [2.0, 8.0]), 0.9, margin=1.0)

    assert high[0] - low[0] == pytest.approx(2 * (1.645 * 2 + 1), abs=0.3)
    assert high[1] - low[1] == pytest.approx(2 * (1.645 * 8 + 1), abs=0.3)


@given(age=st.integers(0, 90), level=LEVELS, margin=st.floats(-30, 30))
def test_an_interval_stays_among_the_ages_and_is_never_upside_down(age: int, level: float, margin: float) -> None:
    certain = np.zeros((1, 91))
    certain[0, age] = 1

    low, high = age_interval(certain, level, margin)

    assert 0 <= low[0] <= high[0] <= 90
    assert margin < 0 or low[0] <= age <= high[0]


def test_too_few_people_for_a_level_are_refused() -> None:
    told = bells([40.0] * 8, [3.0] * 8)

    with pytest.raises(ValueError, match="at least 9 people"):
        fit_margin(told, np.full(8, 40.0), 0.9)
