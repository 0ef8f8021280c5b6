"""Stacked Hourglass networks for pose, in the two layouts that published weights have.

Newell, Yang, Deng: "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016 (arXiv 1603.06937). The layouts
are the same network but for details: `PrincetonHourglass` has the parameter names of the authors' own PyTorch release,
`BearpawHourglass` those of bearpaw/pytorch-pose, which anibali/pytorch-stacked-hourglass shares. Every convolution has
a bias.
"""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DEPTH = 4  # halvings in an hourglass, 64x64 to 4x4 in the paper


class _Residual(nn.Module):
    """Pre-activation bottleneck (paper fig. 4, left); a layout adds its shortcut."""

    def __init__(self, in_channels: int, channels: int, conv: Callable[[int, int, int], nn.Module]) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv(in_channels, channels // 2, 1)
        self.bn2 = nn.BatchNorm2d(channels // 2)
        self.conv2 = conv(channels // 2, channels // 2, 3)
        self.bn3 = nn.BatchNorm2d(channels // 2)
        self.conv3 = conv(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return self.shortcut(x) + cast(Tensor, y)

    def shortcut(self, x: Tensor) -> Tensor:
        return x


class _PrincetonConv(nn.Module):
    """A convolution, then batch normalisation and ReLU if `activate`."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1, activate: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2)
        self.bn = nn.BatchNorm2d(channels) if activate else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.bn is None else F.relu(self.bn(x))


class _PrincetonResidual(_Residual):
    """Has weights for a shortcut even where widths are equal and the shortcut is the identity."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, _PrincetonConv)
        self.skip_layer = _PrincetonConv(in_channels, channels, 1)
        self.widens = in_channels != channels

    def shortcut(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.skip_layer(x)) if self.widens else x


class _PrincetonLevel(nn.Module):
    """One level of an hourglass with all levels below it (paper fig. 3)."""

    def __init__(self, depth: int, channels: int) -> None:
        super().__init__()
        self.up1 = _PrincetonResidual(channels, channels)
        self.low1 = _PrincetonResidual(channels, channels)
        deepest = depth == 1
        self.low2 = _PrincetonResidual(channels, channels) if deepest else _PrincetonLevel(depth - 1, channels)
        self.low3 = _PrincetonResidual(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return cast(Tensor, self.up1(x)) + F.interpolate(low, scale_factor=2.0)


class _PrincetonMerge(nn.Module):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = _PrincetonConv(in_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv(x))


class PrincetonHourglass(nn.Module):
    """The authors' PyTorch release. Its input here is (B, 3, H, W), not the (B, H, W, 3) of the release.

    Args:
        num_stacks: hourglasses, one after the other; 1 to 8 in the paper.
        num_keypoints: K, heatmaps to predict.
        channels: width of the hourglasses; the stem's widths are fixed.
    """

    def __init__(self, num_stacks: int = 8, num_keypoints: int = 16, channels: int = 256) -> None:
        super().__init__()
        self.num_stacks, self.num_keypoints = num_stacks, num_keypoints
        self.pre = nn.Sequential(
            _PrincetonConv(3, 64, 7, stride=2, activate=True),
            _PrincetonResidual(64, 128),
            nn.MaxPool2d(2),
            _PrincetonResidual(128, 128),
            _PrincetonResidual(128, channels),
        )
        self.hgs = nn.ModuleList(nn.Sequential(_PrincetonLevel(DEPTH, channels)) for _ in range(num_stacks))
        self.features = nn.ModuleList(
            nn.Sequential(_PrincetonResidual(channels, channels), _PrincetonConv(channels, channels, 1, activate=True))
            for _ in range(num_stacks)
        )
        self.outs = nn.ModuleList(_PrincetonConv(channels, num_keypoints, 1) for _ in range(num_stacks))
        self.merge_features = nn.ModuleList(_PrincetonMerge(channels, channels) for _ in range(num_stacks - 1))
        self.merge_preds = nn.ModuleList(_PrincetonMerge(num_keypoints, channels) for _ in range(num_stacks - 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map crops (B, 3, H, W) in 0..1 to every stack's heatmaps (B, num_stacks, K, H/4, W/4), the last the best.

        Raises:
            ValueError: H/4 or W/4 is no multiple of 16.
        """
        x = self.pre(images)
        _require_halvings(x)
        heatmaps: list[Tensor] = []
        for i, hourglass in enumerate(self.hgs):
            features = self.features[i](hourglass(x))
            heatmaps.append(self.outs[i](features))
            if i < self.num_stacks - 1:
                x = x + self.merge_preds[i](heatmaps[-1]) + self.merge_features[i](features)
        return torch.stack(heatmaps, dim=1)


class _BearpawResidual(_Residual):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, _same_size_conv)
        same = in_channels == channels
        self.downsample = nn.Identity() if same else nn.Sequential(nn.Conv2d(in_channels, channels, 1))

    def shortcut(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.downsample(x))


class _BearpawLevels(nn.Module):
    """One hourglass; `hg[level]` are the residuals of a level, 0 the innermost: beside, before, after, bottom."""

    def __init__(self, num_blocks: int, channels: int) -> None:
        super().__init__()
        self.hg = nn.ModuleList(
            nn.ModuleList(_bearpaw_residuals(num_blocks, channels) for _ in range(4 if level == 0 else 3))
            for level in range(DEPTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._level(DEPTH - 1, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        beside, before, after, *bottom = self.hg[level].children()
        low = before(F.max_pool2d(x, 2))
        low = bottom[0](low) if level == 0 else self._level(level - 1, low)
        return cast(Tensor, beside(x)) + F.interpolate(after(low), scale_factor=2.0)


class BearpawHourglass(nn.Module):
    """The layout of bearpaw/pytorch-pose and anibali/pytorch-stacked-hourglass.

    Args:
        num_stacks: hourglasses, one after the other; 1, 2 and 8 are published.
        num_blocks: residuals in each place of an hourglass; 1 is published.
        num_keypoints: K, heatmaps to predict.
        channels: width of the hourglasses; the stem has a quarter of it. 256 in the paper.
    """

    def __init__(self, num_stacks: int = 2, num_blocks: int = 1, num_keypoints: int = 16, channels: int = 256) -> None:
        super().__init__()
        self.num_stacks, self.num_keypoints = num_stacks, num_keypoints
        stem = channels // 4
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = nn.Sequential(_BearpawResidual(stem, channels // 2))
        self.layer2 = nn.Sequential(_BearpawResidual(channels // 2, channels))
        self.layer3 = nn.Sequential(_BearpawResidual(channels, channels))
        stacks, merges = range(num_stacks), range(num_stacks - 1)
        self.hg = nn.ModuleList(_BearpawLevels(num_blocks, channels) for _ in stacks)
        self.res = nn.ModuleList(_bearpaw_residuals(num_blocks, channels) for _ in stacks)
        self.fc = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
            for _ in stacks
        )
        self.score = nn.ModuleList(nn.Conv2d(channels, num_keypoints, 1) for _ in stacks)
        self.fc_ = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in merges)
        self.score_ = nn.ModuleList(nn.Conv2d(num_keypoints, channels, 1) for _ in merges)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised crops (B, 3, H, W) to every stack's heatmaps (B, num_stacks, K, H/4, W/4), the last the best.

        Raises:
            ValueError: H/4 or W/4 is no multiple of 16.
        """
        x = self.layer1(F.relu(self.bn1(self.conv1(images))))
        x = self.layer3(self.layer2(F.max_pool2d(x, 2)))
        _require_halvings(x)
        heatmaps: list[Tensor] = []
        for i, hourglass in enumerate(self.hg):
            features = self.fc[i](self.res[i](hourglass(x)))
            heatmaps.append(self.score[i](features))
            if i < self.num_stacks - 1:
                x = x + self.fc_[i](features) + self.score_[i](heatmaps[-1])
        return torch.stack(heatmaps, dim=1)


def _same_size_conv(in_channels: int, channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2)


def _bearpaw_residuals(count: int, channels: int) -> nn.Sequential:
    return nn.Sequential(*(_BearpawResidual(channels, channels) for _ in range(count)))


def _require_halvings(x: Tensor) -> None:
    multiple = 2**DEPTH
    if x.shape[2] % multiple or x.shape[3] % multiple:
        raise ValueError(
            f"the hourglass got a {x.shape[2]}x{x.shape[3]} map; both must be multiples of {multiple}, "
            f"so images must have multiples of {4 * multiple}"
        )
