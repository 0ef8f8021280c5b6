"""Gait energy images to ages."""

from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.backbones.glcnn import GLCNN, GLCNNOutput
from models.checkpoint import Checkpoint, CheckpointError, Interval
from models.gait.age import GENDERS, AgeEstimate, age_estimate


class AgeEstimator:
    """Tells the age of walkers from their gait energy images.

    Args:
        network: is put into evaluation mode.
        flip: average the answers with those for the mirrored image.
        interval: how intervals are made.
        gender: whether the network has learnt to tell one.
    """

    def __init__(
        self, network: GLCNN, flip: bool = False, interval: Interval | None = None, gender: bool = False
    ) -> None:
        self.network: nn.Module = network.eval()
        self.size = network.input_size
        self.flip, self.interval, self.gender = flip, interval, gender
        self._questions = network.linear_age.out_features

    def prepare(self, gei: NDArray[np.float32]) -> Tensor:
        """Bring a gait energy image (h, w), 0..1, to the network's size: (1, *size) float32."""
        if gei.shape != self.size:
            gei = np.asarray(cv2.resize(gei, self.size[::-1], interpolation=cv2.INTER_AREA), np.float32)
        return torch.from_numpy(np.ascontiguousarray(gei, np.float32))[None]

    def forward(self, batch: Tensor) -> Tensor:
        """Answer prepared images (B, 1, *size): rows (B, K + G), K logits of "older than k?", then G of the gender."""
        return answers_of(self.network, batch, self.flip)

    def finish(self, row: Tensor) -> AgeEstimate:
        """One row as an age."""
        return age_estimate(row[: self._questions], row[self._questions :] if self.gender else None, self.interval)


def answers_of(network: nn.Module, batch: Tensor, flip: bool = False) -> Tensor:
    """What GL-CNN says of gait energy images (B, 1, H, W): its age and gender logits (B, K + G) side by side."""
    views = (batch, batch.flip(3)) if flip else (batch,)
    outputs = [cast(GLCNNOutput, network(view)) for view in views]
    rows = [torch.cat((output.age_logits, output.gender_logits), dim=1).float() for output in outputs]
    return torch.stack(rows).mean(dim=0)


def age_estimator(checkpoint: Checkpoint, network: nn.Module) -> AgeEstimator:
    """Wrap a checkpoint's network as it was trained.

    Raises:
        CheckpointError: it is not GL-CNN, or is said to tell a gender and has not one output for each.
    """
    if not isinstance(network, GLCNN):
        raise CheckpointError(f"{checkpoint.name} is a {checkpoint.network}; ages come from glcnn")
    told = network.linear_gender.out_features
    if checkpoint.gender and told != len(GENDERS):
        raise CheckpointError(f"{checkpoint.name} has {told} outputs for a gender; {', '.join(GENDERS)} can be told")
    return AgeEstimator(network, checkpoint.preprocessing.flip, checkpoint.interval, checkpoint.gender)
