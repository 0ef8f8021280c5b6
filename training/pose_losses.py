"""What the pose networks are trained with."""

import torch
from torch import Tensor


def joints_mse(heatmaps: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Half the mean squared error of each keypoint's map, averaged over keypoints (HRNet's and bearpaw's loss).

    Args:
        heatmaps, targets: (B, K, H, W).
        weights: (B, K), multiplied into both maps; None counts all alike.
    """
    return _per_map(heatmaps, targets, weights).mean()


def hard_joints_mse(heatmaps: Tensor, targets: Tensor, weights: Tensor | None = None, hardest: int = 8) -> Tensor:
    """`joints_mse` over each sample's `hardest` keypoints only (OHKM; Chen et al. 2018, section 3.2).

    Raises:
        ValueError: there are fewer than `hardest` keypoints.
    """
    per_map = _per_map(heatmaps, targets, weights)
    if hardest > per_map.shape[1]:
        raise ValueError(f"{per_map.shape[1]} keypoints are fewer than the {hardest} hardest")
    return per_map.topk(hardest, dim=1).values.mean()


def stacked_joints_mse(heatmaps: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Intermediate supervision as bearpaw sums it: `joints_mse` of every stack, added up.

    Args:
        heatmaps: (B, S, K, H, W), S stacks.
        targets: (B, K, H, W), the same for every stack.
        weights: (B, K) or None.
    """
    return torch.stack([joints_mse(stack, targets, weights) for stack in heatmaps.unbind(dim=1)]).sum()


def stacked_mse(heatmaps: Tensor, targets: Tensor) -> Tensor:
    """Intermediate supervision as Princeton sums it: the mean squared error (B, S) of each sample and stack.

    What is minimised is the mean of the result.

    Args:
        heatmaps: (B, S, K, H, W), S stacks.
        targets: (B, K, H, W), the same for every stack.
    """
    return (heatmaps - targets[:, None]).square().mean(dim=(2, 3, 4))


def _per_map(heatmaps: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    error = heatmaps - targets
    if weights is not None:
        error = error * weights[..., None, None]
    return 0.5 * error.square().mean(dim=(2, 3))
