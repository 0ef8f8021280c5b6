"""How far two ways of computing one network agree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.runtimes.compiled import output_tensors


@dataclass(frozen=True)
class Agreement:
    """The worst over all outputs and rows.

    Attributes:
        cosine: between an output's rows, -1..1; -1 if something is not finite.
        relative_error: largest difference, over the largest value of that output.
    """

    cosine: float
    relative_error: float

    @property
    def is_finite(self) -> bool:
        """Whether shapes are the same and every value is a number."""
        return self.relative_error < float("inf")

    @property
    def is_exact(self) -> bool:
        """Whether only the order of float32 additions can have made the difference."""
        return self.cosine >= 0.99999 and self.relative_error <= 1e-4


@torch.inference_mode()
def agreement(true: Callable[[Tensor], Any], other: Callable[[Tensor], Any], images: Tensor) -> Agreement:
    """Compare what two callables make of the same batch (B, C, H, W)."""
    pairs = zip(output_tensors(true(images)), output_tensors(other(images)), strict=True)
    compared = [_compare(a.double().flatten(1), b.double().flatten(1)) for a, b in pairs]
    return Agreement(min(cosine for cosine, _ in compared), max(error for _, error in compared))


def _compare(true: Tensor, other: Tensor) -> tuple[float, float]:
    if not (true.shape == other.shape and other.isfinite().all()):
        return -1.0, float("inf")
    cosine = torch.cosine_similarity(true, other, dim=1).min()
    return float(cosine), float((true - other).abs().max() / true.abs().max().clamp_min(1e-12))
