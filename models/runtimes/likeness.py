"""How far the answers of two ways of computing one network lie apart, in the words of its task."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.checkpoint import Checkpoint
from models.ordinal import ordinal_ages
from models.pose_systems import SYSTEMS

Answer = Callable[[Any], Tensor]
"""Maps what a network returns for B pictures to what is read out of it, (B, …) float32."""


def answer_of(checkpoint: Checkpoint) -> Answer:
    """What is read out of a checkpoint's network.

    Returns:
        For re-ID embeddings (B, D) of unit length, for poses points (B, K, 2) in heatmap pixels, for gait ages (B,).
    """
    if checkpoint.task == "reid":
        return lambda features: F.normalize(features.float())
    if checkpoint.task == "gait":
        return lambda output: ordinal_ages(output.age_logits.float())
    return partial(_points, checkpoint)


def likeness(task: str, true: Tensor, other: Tensor) -> dict[str, float]:
    """The median and the worst over N pictures, of answers of `answer_of`.

    Returns:
        For re-ID the cosine of two embeddings, for poses the displacement of a keypoint in heatmap pixels, with what 99
        of 100 stay below, for gait the difference of two ages in years.
    """
    if task == "reid":
        cosines = (true * other).sum(dim=1)
        return {"cosine, median": float(cosines.median()), "cosine, lowest": float(cosines.min())}
    if task == "gait":
        years = (true - other).abs()
        return {"apart, median years": float(years.median()), "apart, largest years": float(years.max())}
    pixels = (true - other).norm(dim=2).flatten()
    ninety_nine = float(pixels.sort().values[int(0.99 * (len(pixels) - 1))])
    return {
        "apart, median pixels": float(pixels.median()),
        "99 % below, pixels": ninety_nine,
        "apart, largest pixels": float(pixels.max()),
    }


def _points(checkpoint: Checkpoint, heatmaps: Tensor) -> Tensor:
    last = heatmaps[:, -1] if heatmaps.ndim == 5 else heatmaps
    points, _ = SYSTEMS[checkpoint.network].decode(last.float(), checkpoint.preprocessing.size)
    return points.to(torch.float32)
