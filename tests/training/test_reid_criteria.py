import pytest
import torch
from torch import Tensor

import models
from training.losses import euclidean_distances, rrid_loss, smoothed_cross_entropy, triplet_loss
from training.reid_criteria import reid_loss

LABELS = torch.tensor([0, 0, 1, 1])


@pytest.fixture
def crops() -> Tensor:
    return torch.randn(4, 3, 96, 32, generator=torch.Generator().manual_seed(0))


def test_one_feature_and_one_classifier_give_smoothed_cross_entropy_and_triplets(crops: Tensor) -> None:
    network = models.create("resnet18_bnneck", num_classes=2, width=8, input_size=(96, 32)).eval()

    loss = reid_loss(network, crops, LABELS, smoothing=0.2, margin=0.5)

    with torch.autocast("cpu", torch.bfloat16):
        before, _, logits = network.logits(crops)  # type: ignore[operator]
    assert torch.equal(loss.classification, smoothed_cross_entropy(logits.float(), LABELS, 0.2))
    assert torch.equal(loss.triplet, triplet_loss(euclidean_distances(before.float()), LABELS, 0.5))


def test_rrid_is_trained_on_all_its_features_and_classifiers(crops: Tensor) -> None:
    torch.manual_seed(0)
    network = models.create("rrid_resnet50", num_classes=2).eval()

    loss = reid_loss(network, crops, LABELS, margin=1.2)

    with torch.autocast("cpu", torch.bfloat16):
        features, *parts = network.logits(crops)  # type: ignore[operator]
    answers = [one.float() for part in parts for one in part.unbind(1)]
    assert len(answers) == 45
    expected = rrid_loss(list(features.float().unbind(1)), answers, LABELS)
    torch.testing.assert_close(loss.classification + loss.triplet, expected)


def test_rrid_refuses_the_soft_margin(crops: Tensor) -> None:
    network = models.create("rrid_resnet50", num_classes=2).eval()

    with pytest.raises(ValueError, match=r"soft margin.*1\.2"):
        reid_loss(network, crops, LABELS, margin=None)
