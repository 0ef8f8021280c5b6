"""What re-identification networks are trained to lower, each by its own paper's recipe."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.backbones.rrid import RRIDNet
from training.losses import euclidean_distances, rrid_loss, smoothed_cross_entropy, triplet_loss


class ReidLoss(NamedTuple):
    """The two parts of the loss, scalars; their sum is what is lowered."""

    classification: Tensor
    triplet: Tensor


def reid_loss(
    network: nn.Module, crops: Tensor, labels: Tensor, smoothing: float = 0.1, margin: float | None = 0.3
) -> ReidLoss:
    """Run a network on a batch, in bfloat16 where that is faster, and compare its answers with the identities.

    RRID is trained by its own loss: triplets of each of its 15 features, and twice the plain cross-entropy of each of
    its 45 classifiers. Every other network has one feature and one classifier.

    Args:
        network: built with classifiers.
        crops: (B, 3, H, W) normalised.
        labels: (B,) int64.
        smoothing: of the labels; RRID's are not smoothed.
        margin: of the triplets, None is the soft margin, which RRID does not have.

    Raises:
        ValueError: the network has no classifiers, or RRID is to use the soft margin.
    """
    with torch.autocast(crops.device.type, torch.bfloat16):
        answers = network.logits(crops)  # type: ignore[operator]
    if isinstance(network, RRIDNet):
        if margin is None:
            raise ValueError("RRID's loss has no soft margin; choose a margin, 1.2 in its paper")
        features, *classifiers = (part.float() for part in answers)
        logits = [one for part in classifiers for one in part.unbind(dim=1)]
        return ReidLoss(rrid_loss([], logits, labels), rrid_loss(list(features.unbind(dim=1)), [], labels, margin))
    before, _, logits_ = answers
    distances = euclidean_distances(before.float())
    return ReidLoss(smoothed_cross_entropy(logits_.float(), labels, smoothing), triplet_loss(distances, labels, margin))
