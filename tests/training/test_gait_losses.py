"""The loss on ages: gradients, and that mistakes cost by how far they are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ordinal import ordinal_ages, ordinal_targets
from training.gait_losses import ordinal_loss, squared_emd

CERTAIN = 40.0


def answers_for(age: int, questions: int = 89) -> torch.Tensor:
    """Logits (1, questions) that are certain of an age."""
    return CERTAIN * (2 * ordinal_targets(torch.tensor([age]), questions).double() - 1)


def test_the_gradient_is_that_of_the_value() -> None:
    logits = torch.randn(3, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    ages = torch.tensor([0, 5, 12])

    assert torch.autograd.gradcheck(lambda x: ordinal_loss(x, ages), logits)
    assert torch.autograd.gradcheck(lambda x: squared_emd(x, ordinal_targets(ages, 12)), logits)


@settings(deadline=None, max_examples=30)
@given(true=st.integers(0, 89), estimated=st.integers(0, 89))
def test_being_certain_of_a_wrong_age_costs_the_years_it_is_off(true: int, estimated: int) -> None:
    distance = squared_emd(answers_for(estimated), ordinal_targets(torch.tensor([true]), 89))

    assert distance.item() == pytest.approx(abs(true - estimated), abs=1e-6)


def test_the_distance_is_the_sum_of_squared_differences_of_cumulative_distributions() -> None:
    probabilities = torch.tensor([0.1, 0.2, 0.4, 0.3]).double()  # of ages 0 to 3
    older = 1 - probabilities.cumsum(dim=0)[:-1]
    true = torch.tensor([0.0, 1, 0, 0]).double().cumsum(dim=0)[:-1]

    distance = squared_emd(torch.logit(older)[None], ordinal_targets(torch.tensor([1]), 3))

    assert distance.item() == pytest.approx(((probabilities.cumsum(dim=0)[:-1] - true) ** 2).sum().item())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_far_mistakes_cost_more_than_near_ones(weight: float) -> None:
    true = torch.tensor([30])

    losses = [ordinal_loss(answers_for(30 + years), true, weight).item() for years in (0, 1, 5, 20, 50)]

    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(0, abs=1e-6)
    assert losses[1] < losses[2] / 4


def test_the_distance_adds_to_the_cross_entropy_by_its_weight() -> None:
    logits, true = torch.zeros(2, 10), torch.tensor([3, 7])

    without, with_distance = ordinal_loss(logits, true, 0.0), ordinal_loss(logits, true, 2.0)

    assert without.item() == pytest.approx(torch.log(torch.tensor(2.0)).item())
    assert (with_distance - without).item() == pytest.approx(2.0 * 0.25)


def test_training_on_the_loss_finds_the_age() -> None:
    logits = torch.zeros(1, 89, requires_grad=True)
    for _ in range(50):
        (gradient,) = torch.autograd.grad(ordinal_loss(logits, torch.tensor([34])), logits)
        logits = (logits - 50 * gradient).detach().requires_grad_()

    assert ordinal_ages(logits).tolist() == [34]
