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


def location_cross_entropy(heatmaps: Tensor, targets: Tensor, weights: Tensor, sharpness: float = 10.0) -> Tensor:
    """How unlikely the right pixel is, where a map's softmax is read as the chance of each pixel.

    Squared errors let a young network answer with empty maps, which are almost right almost everywhere; this does not.

    Args:
        heatmaps: (..., K, H, W), trained towards 1 at the keypoint and 0 elsewhere.
        targets: (..., K, H, W) or fewer leading axes; what each map is, once it is divided by its sum.
        weights: (..., K), 0 where a map does not count.
        sharpness: factor before the softmax; with 10, a peak of height 1 outweighs a thousand empty pixels.

    Returns:
        The mean over what counts; 0 where nothing does.
    """
    chances = (sharpness * heatmaps).flatten(-2).log_softmax(dim=-1)
    wanted = targets.flatten(-2)
    wanted = wanted / wanted.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    entropy = -(wanted * chances).sum(dim=-1) * weights
    return entropy.sum() / weights.expand_as(entropy).sum().clamp(min=1)
