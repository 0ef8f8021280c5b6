"""Torchvision's detectors, where torchvision fits the installed torch."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.detectors.base import DetectorError
from models.detectors.torchvision import NETWORKS, TorchvisionDetector, build_torchvision


class Fixed(nn.Module):
    """Answers as torchvision's detectors do, always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """Boxes of a person, of a car, and of a person who is not sure; the sure one's score is the brightness."""
        boxes = torch.tensor([[1.0, 2, 30, 400], [5, 5, 9, 9], [4, 4, 8, 20]])
        scores = torch.stack((images[0].max(), torch.tensor(0.8), torch.tensor(0.2)))
        return [{"boxes": boxes, "scores": scores, "labels": torch.tensor([1, 3, 1])}]


def test_only_sure_persons_remain_within_the_picture() -> None:
    found = TorchvisionDetector(Fixed()).detect(np.full((100, 50, 3), 255, np.uint8))

    assert found.boxes.tolist() == [[1, 2, 30, 100]]
    assert found.scores.tolist() == [1]


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown detector 'resnet'; choose from fasterrcnn"):
        build_torchvision("resnet")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_built_without_a_download_or_says_what_is_missing(name: str) -> None:
    try:
        from torchvision.models import detection
    except (ImportError, RuntimeError):
        with pytest.raises(DetectorError, match=r"not installed: pip install|is not made for torch"):
            build_torchvision(name)
        pytest.skip("torchvision for the installed torch is not here")
    assert hasattr(detection, name)
    found = TorchvisionDetector(build_torchvision(name).eval(), 0).detect(np.zeros((64, 64, 3), np.uint8))
    assert found.boxes.shape == (len(found), 4)
