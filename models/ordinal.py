"""Ages as series of yes-or-no questions: "older than 0?", "older than 1?", and so on (ordinal decomposition)."""

import torch
from torch import Tensor


def ordinal_targets(ages: Tensor, thresholds: int) -> Tensor:
    """Answer every question about an age: threshold k = 0, 1, … asks whether the age is above k.

    Args:
        ages: (B,) whole years.
        thresholds: how many questions.

    Returns:
        (B, thresholds) float32; the first `age` entries are 1, the others 0.

    Raises:
        ValueError: an age is negative or larger than `thresholds`, so that no answers stand for it.
    """
    if bool((ages < 0).any() | (ages > thresholds).any()):
        raise ValueError(f"ages lie between 0 and {thresholds}, not {int(ages.min())} to {int(ages.max())}")
    return (torch.arange(thresholds, device=ages.device) < ages[:, None]).float()


def ordinal_ages(logits: Tensor) -> Tensor:
    """Ages (B,) int64: how many of the answers (B, K), given as logits, are yes."""
    return (logits > 0).sum(dim=1)


def ordinal_distribution(logits: Tensor) -> Tensor:
    """The distribution over ages 0 to K that the answers to K questions imply.

    The chance of being older must not rise with age, but each question is answered by itself. Sorting the answers
    puts that right, and is never farther from a falling curve than they were (Chernozhukov et al. 2009); the median,
    `ordinal_ages`, and the mean, the sum of the answers, stay what they were.

    Args:
        logits: (B, K).

    Returns:
        (B, K + 1) probabilities that add up to 1.
    """
    older = torch.sigmoid(logits).sort(dim=1, descending=True).values
    ends = older.new_ones(len(older), 1)
    return torch.cat((ends, older), dim=1) - torch.cat((older, 0 * ends), dim=1)
