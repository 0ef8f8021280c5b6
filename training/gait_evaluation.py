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
    estimated, ages = estimate(data.paths), data.ages.astype(np.float64)
    shares = (cumulative_score(estimated, ages, years) for years in (1, 5, 10))
    return GaitScores(mean_absolute_error(estimated, ages), *shares)


@torch.inference_mode()
def estimate_ages(
    network: nn.Module, size: tuple[int, int], paths: Sequence[Path], flip: bool = False, batch_size: int = 64
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
    device = next(network.parameters()).device
    ages = []
    for start in watched(range(0, len(paths), batch_size), "gait energy images"):
        geis = torch.stack([_prepare(read_gei(path), size) for path in paths[start : start + batch_size]]).to(device)
        logits = _age_logits(network, geis)
        if flip:
            logits = (logits + _age_logits(network, geis.flip(3))) / 2
        ages.append(ordinal_ages(logits).cpu())
    return torch.cat(ages).double().numpy()


def _age_logits(network: nn.Module, geis: Tensor) -> Tensor:
    return cast(GLCNNOutput, network(geis)).age_logits


def _prepare(gei: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    if gei.shape != size:
        gei = np.asarray(cv2.resize(gei, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)
    return torch.from_numpy(gei)[None].float() / 255
