"""Ages from gait energy images, and the table of the papers: MAE and CS(k)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.backbones.glcnn import GLCNNOutput
from models.ordinal import ordinal_ages
from training.gait_datasets import GaitAges, read_gei
from training.gait_metrics import cumulative_score, mean_absolute_error
from training.progress import watched

FloatArray = NDArray[np.float64]
BATCH_SIZE = 64
Estimate = Callable[[Sequence[Path]], FloatArray]
"""Maps pictures of gait energy images to ages in years."""


@dataclass(frozen=True)
class GaitScores:
    """What age estimation from gait is measured by.

    Attributes:
        mae: mean absolute error in years.
        cs1, cs5, cs10: share of subjects whose age is at most 1, 5 or 10 years off.
    """

    mae: float
    cs1: float
    cs5: float
    cs10: float


def evaluate_gait(data: GaitAges, estimate: Estimate) -> GaitScores:
    """Estimate everybody's age and score it."""
    return _scores(estimate(data.paths), data.ages)


def score_ages(logits: Tensor, ages: NDArray[np.integer]) -> GaitScores:
    """Score answers (N, K) to "older than k?", given as logits."""
    return _scores(ordinal_ages(logits).double().numpy(), ages)


@torch.inference_mode()
def answers(
    network: nn.Module, geis: NDArray[np.uint8], flip: bool = False, batch_size: int = BATCH_SIZE
) -> GLCNNOutput:
    """What a network says about gait energy images, on the CPU.

    Args:
        network: `models.backbones.glcnn.GLCNN`.
        geis: (N, h, w) of its input size, 255 where the body always is.
        flip: average the answers with those for the mirrored pictures.
        batch_size: pictures a forward pass.
    """
    device = next(network.parameters()).device
    rows = []
    for start in range(0, len(geis), batch_size):
        batch = (torch.from_numpy(geis[start : start + batch_size])[:, None].float() / 255).to(device)
        views = (batch, batch.flip(3)) if flip else (batch,)
        outputs = [cast(GLCNNOutput, network(view)) for view in views]
        rows.append([torch.stack(parts).mean(dim=0).cpu() for parts in zip(*outputs, strict=True)])
    return GLCNNOutput(*(torch.cat(parts) for parts in zip(*rows, strict=True)))


def estimate_ages(
    network: nn.Module, size: tuple[int, int], paths: Sequence[Path], flip: bool = False, batch_size: int = BATCH_SIZE
) -> FloatArray:
    """Ages (N,) in years that a network reads out of gait energy images.

    Args:
        network: `models.backbones.glcnn.GLCNN`, trained to answer "older than k?" for each k.
        size: (height, width) of its input; pictures of another size are resized.
        paths: of the pictures.
        flip: average the answers with those for the mirrored picture.
        batch_size: pictures a forward pass.

    Raises:
        ValueError: one is not a picture.
    """
    ages = []
    for start in watched(range(0, len(paths), batch_size), "gait energy images"):
        geis = np.stack([resized(read_gei(path), size) for path in paths[start : start + batch_size]])
        ages.append(ordinal_ages(answers(network, geis, flip, batch_size).age_logits))
    return torch.cat(ages).double().numpy()


def resized(gei: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A gait energy image at a network's size (height, width)."""
    if gei.shape == size:
        return gei
    return np.asarray(cv2.resize(gei, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _scores(estimated: FloatArray, true: NDArray[np.integer]) -> GaitScores:
    ages = true.astype(np.float64)
    shares = (cumulative_score(estimated, ages, years) for years in (1, 5, 10))
    return GaitScores(mean_absolute_error(estimated, ages), *shares)
