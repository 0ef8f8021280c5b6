"""What the re-identification networks are trained with."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy against targets (1 - eps) * one-hot + eps / K, averaged over the batch (Szegedy et al. 2016).

    Args:
        logits: (B, K).
        labels: (B,) int64.
        smoothing: eps; 0.1 in the RGA recipe.
    """
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def euclidean_distances(features: Tensor, floor: float = 1e-12) -> Tensor:
    """Pairwise Euclidean distances (B, B); squares are floored so that the root has a gradient at zero.

    Args:
        features: (B, D).
        floor: 1e-12 in RGA's code, 1e-16 in RRID's.
    """
    squares = features.square().sum(dim=1)
    squared_l2 = squares[:, None] + squares[None, :] - 2 * features @ features.mT
    return squared_l2.clamp(min=floor).sqrt()


def cosine_distances(features: Tensor) -> Tensor:
    """Pairwise cosine distances (B, B), 0 to 2, of features (B, D)."""
    unit = F.normalize(features)
    return 1 - unit @ unit.mT


def batch_hard(distances: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each anchor's farthest positive and nearest negative (Hermans et al. 2017, "batch hard").

    The anchor counts among its own positives, at distance (almost) zero, as in the reference implementations.

    Args:
        distances: (B, B), smaller is closer.
        labels: (B,) identities; counts may differ.

    Returns:
        Distances to the hardest positive and negative, then their indices, all (B,).

    Raises:
        ValueError: there is only one identity, so no negative exists.
    """
    same = labels[:, None] == labels[None, :]
    if bool(same.all()):
        raise ValueError("a batch of one identity has no negatives")
    positive, positive_index = distances.masked_fill(~same, -torch.inf).max(dim=1)
    negative, negative_index = distances.masked_fill(same, torch.inf).min(dim=1)
    return positive, negative, positive_index, negative_index


def triplet_loss(distances: Tensor, labels: Tensor, margin: float | None = 0.3) -> Tensor:
    """Batch-hard triplet loss: hinge with a margin, or the soft margin log(1 + exp(ap - an)) where it is None.

    Args:
        distances: (B, B) between the batch's features.
        labels: (B,) identities.
        margin: 0.3 in the RGA recipe, 1.2 in RRID's.
    """
    positive, negative, _, _ = batch_hard(distances, labels)
    if margin is None:
        return F.softplus(positive - negative).mean()
    return F.relu(positive - negative + margin).mean()


def rrid_loss(
    features: Sequence[Tensor], logits: Sequence[Tensor], labels: Tensor, margin: float = 1.2, weight: float = 2.0
) -> Tensor:
    """RRID's loss: batch-hard triplets of every feature, plus twice the cross-entropy of every classifier, all summed.

    Args:
        features: the 15 vectors, (B, 256) each.
        logits: of the 45 classifiers, (B, identities) each.
        labels: (B,) int64.
        margin: of the triplets.
        weight: of the cross-entropies.
    """
    loss = labels.new_zeros((), dtype=torch.float32)
    for feature in features:
        loss = loss + triplet_loss(euclidean_distances(feature, floor=1e-16), labels, margin)
    for answers in logits:
        loss = loss + weight * F.cross_entropy(answers, labels)
    return loss
