"""Ages as yes-or-no questions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ordinal import ordinal_ages, ordinal_distribution, ordinal_targets


def test_the_first_age_entries_are_yes() -> None:
    assert ordinal_targets(torch.tensor([0, 2, 4]), 4).tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]


@settings(deadline=None, max_examples=30)
@given(age=st.integers(0, 89))
def test_targets_decode_to_the_age_they_encode(age: int) -> None:
    logits = 2 * ordinal_targets(torch.tensor([age]), 89) - 1

    assert ordinal_ages(logits).item() == age
    assert ordinal_distribution(100 * logits)[0].argmax() == age


@pytest.mark.parametrize("age", [-1, 5])
def test_an_age_that_no_answers_stand_for_is_refused(age: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 4"):
        ordinal_targets(torch.tensor([age]), 4)


def test_contradicting_answers_still_give_a_distribution_with_their_mean_and_median() -> None:
    logits = torch.randn(16, 89, generator=torch.Generator().manual_seed(0)).double()

    distribution = ordinal_distribution(logits)

    ages = torch.arange(90).double()
    medians = (distribution.cumsum(dim=1) < 0.5).sum(dim=1)
    assert distribution.shape == (16, 90)
    assert (distribution >= 0).all()
    torch.testing.assert_close(distribution.sum(dim=1), torch.ones(16).double())
    torch.testing.assert_close(distribution @ ages, torch.sigmoid(logits).sum(dim=1))
    assert torch.equal(medians, ordinal_ages(logits))
