"""ResNet trunk (He et al., CVPR 2016) that the re-identification networks stand on.

Parameter names are torchvision's (`conv1`, `bn1`, `layer1` … `layer4`), because the official RGA and RRID checkpoints
use them.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the block of ResNet-18 and -34 (He et al., fig. 5 left)."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, channels, H/stride, W/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride) and 1x1 convolutions around a shortcut (He et al., fig. 5 right)."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = _shortcut(in_channels, channels * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, 4 * channels, H/stride, W/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetTrunk(nn.Module):
    """Everything of a ResNet before its pooling, with the last stage at stride 1 so that the map keeps its size.

    Args:
        depths: blocks in each of the four stages; (3, 4, 6, 3) is ResNet-50.
        width: channels of the stem; stage i has `width * 2**i` (times the block's expansion).
        block: `Bottleneck` or `BasicBlock`.
    """

    def __init__(
        self,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: type[BasicBlock] | type[Bottleneck] = Bottleneck,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage_channels = tuple(width * 2**i * block.expansion for i in range(4))
        in_channels = width
        for i, (depth, stride) in enumerate(zip(depths, (1, 2, 2, 1), strict=True)):
            blocks = []
            for j in range(depth):
                blocks.append(block(in_channels, width * 2**i, stride if j == 0 else 1))
                in_channels = self.stage_channels[i]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))

    def stem(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to (B, width, H/4, W/4)."""
        pooled: Tensor = self.maxpool(F.relu(self.bn1(self.conv1(images))))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, stage_channels[3], H/16, W/16)."""
        x = self.stem(images)
        for i in range(4):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return x


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )
