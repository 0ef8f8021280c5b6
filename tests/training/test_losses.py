"""Losses of the re-identification networks against the formulas, term by term."""

import math

import pytest
import torch
from torch import Tensor

from training.losses import (
    batch_hard,
    cosine_distances,
    euclidean_distances,
    rrid_loss,
    smoothed_cross_entropy,
    triplet_loss,
)

LABELS = torch.tensor([0, 1, 0, 2, 1, 0])  # of unequal counts


@pytest.fixture
def features() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_smoothed_cross_entropy_is_that_of_the_smoothed_targets() -> None:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 6, 3])
    targets = torch.full((4, 7), 0.1 / 7)
    targets[torch.arange(4), labels] += 0.9

    loss = smoothed_cross_entropy(logits, labels)

    torch.testing.assert_close(loss, -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean())


def test_distances_are_those_between_rows(features: Tensor) -> None:
    direct = (features[:, None] - features).norm(dim=2)
    cosines = torch.nn.functional.cosine_similarity(features[:, None], features, dim=2)

    torch.testing.assert_close(euclidean_distances(features), direct, rtol=0, atol=2e-6)
    torch.testing.assert_close(cosine_distances(features), 1 - cosines)


@pytest.mark.parametrize("floor", [1e-12, 1e-16])
def test_the_floor_is_the_distance_to_oneself_and_keeps_gradients_finite(features: Tensor, floor: float) -> None:
    twins = torch.cat((features[:1], features[:1])).requires_grad_()

    distances = euclidean_distances(twins, floor)
    (gradient,) = torch.autograd.grad(distances.sum(), twins)

    assert distances.flatten().tolist() == pytest.approx([floor**0.5] * 4)
    assert gradient.isfinite().all()


def test_mining_finds_the_farthest_positive_and_the_nearest_negative(features: Tensor) -> None:
    distances = euclidean_distances(features)

    positive, negative, positive_index, negative_index = batch_hard(distances, LABELS)

    for i in range(6):
        same = {j: float(distances[i, j]) for j in range(6) if LABELS[j] == LABELS[i]}
        other = {j: float(distances[i, j]) for j in range(6) if LABELS[j] != LABELS[i]}
        assert positive_index[i] == max(same, key=lambda j: same[j])
        assert negative_index[i] == min(other, key=lambda j: other[j])
        assert [float(positive[i]), float(negative[i])] == [max(same.values()), min(other.values())]


def test_a_batch_of_one_identity_has_no_negatives(features: Tensor) -> None:
    with pytest.raises(ValueError, match="no negatives"):
        batch_hard(euclidean_distances(features), torch.zeros(6))


def test_the_triplet_loss_is_a_hinge_or_the_soft_margin(features: Tensor) -> None:
    distances = euclidean_distances(features)
    positive, negative, _, _ = batch_hard(distances, LABELS)
    gaps = [float(p - n) for p, n in zip(positive, negative, strict=True)]

    hinge, soft = triplet_loss(distances, LABELS, margin=0.3), triplet_loss(distances, LABELS, margin=None)

    assert hinge.item() == pytest.approx(sum(max(0, gap + 0.3) for gap in gaps) / 6)
    assert soft.item() == pytest.approx(sum(math.log1p(math.exp(gap)) for gap in gaps) / 6)


@pytest.mark.parametrize("margin", [0.3, 1.2, None])
def test_the_gradient_of_the_triplet_loss_is_that_of_its_value(features: Tensor, margin: float | None) -> None:
    def loss(x: Tensor) -> Tensor:
        return triplet_loss(euclidean_distances(x), LABELS, margin)

    assert torch.autograd.gradcheck(loss, features.requires_grad_())


def test_rrid_adds_triplets_of_all_features_to_twice_the_cross_entropies(features: Tensor) -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    triplet = triplet_loss(euclidean_distances(features, floor=1e-16), LABELS, margin=1.2)
    classification = torch.nn.functional.cross_entropy(logits, LABELS)

    loss = rrid_loss([features, features, features], [logits, -logits], LABELS)

    opposite = torch.nn.functional.cross_entropy(-logits, LABELS)
    torch.testing.assert_close(loss, 3 * triplet + 2 * (classification + opposite))
