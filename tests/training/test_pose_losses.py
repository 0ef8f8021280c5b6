"""Pose losses against the formulas, term by term."""

import pytest
import torch
from torch import Tensor

from training.pose_losses import (
    hard_joints_mse,
    joints_mse,
    location_cross_entropy,
    stacked_joints_mse,
    stacked_mse,
)


def tensors(*shape: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=random), torch.rand(shape[0], *shape[-3:], generator=random)


def per_keypoint(heatmaps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """(B, K) half mean squared errors, one map after the other."""
    rows = [
        [0.5 * torch.mean((weights[b, k] * (heatmaps[b, k] - targets[b, k])) ** 2) for k in range(heatmaps.shape[1])]
        for b in range(len(heatmaps))
    ]
    return torch.tensor(rows)


def test_joints_mse_averages_half_errors_of_weighted_maps() -> None:
    heatmaps, targets = tensors(3, 5, 4, 6)
    weights = torch.tensor([[1.0, 0, 1, 0.5, 1]]).expand(3, 5)

    torch.testing.assert_close(joints_mse(heatmaps, targets, weights), per_keypoint(heatmaps, targets, weights).mean())
    torch.testing.assert_close(joints_mse(heatmaps, targets), per_keypoint(heatmaps, targets, torch.ones(3, 5)).mean())


def test_hard_mining_keeps_the_worst_keypoints_of_each_sample() -> None:
    heatmaps, targets = tensors(3, 5, 4, 6)
    errors = per_keypoint(heatmaps, targets, torch.ones(3, 5))

    loss = hard_joints_mse(heatmaps, targets, hardest=2)

    torch.testing.assert_close(loss, errors.sort(dim=1).values[:, -2:].mean())


def test_hard_mining_of_more_keypoints_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than the 8 hardest"):
        hard_joints_mse(*tensors(3, 5, 4, 6))


def test_every_stack_is_supervised_by_the_same_targets() -> None:
    stacks, targets = tensors(2, 3, 5, 4, 6)
    weights = torch.rand(2, 5, generator=torch.Generator().manual_seed(1))

    summed, separate = stacked_joints_mse(stacks, targets, weights), stacked_mse(stacks, targets)

    torch.testing.assert_close(
        summed, sum((joints_mse(stacks[:, s], targets, weights) for s in range(3)), torch.zeros(()))
    )
    assert separate.shape == (2, 3)
    torch.testing.assert_close(separate[1, 2], torch.nn.functional.mse_loss(stacks[1, 2], targets[1]))


def test_the_location_s_cross_entropy_is_that_of_the_pixels_chances() -> None:
    heatmaps, targets = tensors(2, 3, 5, 4, 6)  # two samples, three stacks
    weights = torch.tensor([[1.0, 0, 1, 0.5, 1], [0, 0, 0, 0, 1]])

    loss = location_cross_entropy(heatmaps, targets[:, None], weights[:, None].expand(2, 3, 5), sharpness=2)

    terms = torch.tensor(0.0)
    for b, s, k in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(5)):
        chances = torch.softmax(2 * heatmaps[b, s, k].ravel(), dim=0)
        wanted = targets[b, k].ravel() / targets[b, k].sum()
        terms -= weights[b, k] * (wanted * chances.log()).sum()
    torch.testing.assert_close(loss, terms / (3 * weights.sum()))


def test_a_sharp_peak_in_the_right_place_costs_almost_nothing_and_no_keypoint_nothing() -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[0, 0, 5, 7] = 1

    right = location_cross_entropy(target, target, torch.ones(1, 1))
    empty = location_cross_entropy(0 * target, target, torch.ones(1, 1))

    assert float(right) < 0.1
    assert float(empty) == pytest.approx(torch.tensor(1024.0).log().item())
    assert float(location_cross_entropy(target, 0 * target, torch.zeros(1, 1))) == 0
