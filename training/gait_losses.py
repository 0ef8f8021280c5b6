"""What GL-CNN is trained with: ordinal decomposition of the age, and a loss on its distribution."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.ordinal import ordinal_targets


def squared_emd(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared Earth mover's distance (B,) between predicted and true distributions of ages.

    The formula is ours. On ages in order, one year apart, moving one distribution onto the other carries |F_k - G_k|
    across the step from age k to k + 1, where F and G are their cumulative distributions; so the Earth mover's
    distance is sum_k |F_k - G_k|, and its squared form (Hou et al. 2016) sum_k (F_k - G_k)². Question k asks whether
    the age is above k, so its answer s_k = sigmoid(logit_k) is 1 - F_k, and the true answer t_k is 1 - G_k:

        EMD² = sum_k (s_k - t_k)²

    A distribution that is certain of an age d years off costs d, so far mistakes cost more than near ones. Nothing
    forces s_k to fall with k; while it does not, the sum is still the squared distance to the one curve that is right.

    Args:
        logits: (B, K), one a question.
        targets: (B, K) from `ordinal_targets`.
    """
    return (torch.sigmoid(logits) - targets).square().sum(dim=1)


def ordinal_loss(logits: Tensor, ages: Tensor, distribution_weight: float = 1.0) -> Tensor:
    """Mean binary cross-entropy over the questions, plus the squared Earth mover's distance of the distribution.

    The distance is divided by the number of questions, so that a weight means the same for any number.

    Args:
        logits: (B, K).
        ages: (B,) whole years in 0..K.
        distribution_weight: of the distance.
    """
    targets = ordinal_targets(ages, logits.shape[1]).to(logits.dtype)
    distance = squared_emd(logits, targets).mean() / logits.shape[1]
    return F.binary_cross_entropy_with_logits(logits, targets) + distribution_weight * distance
