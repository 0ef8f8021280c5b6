"""HRNet: features that stay at high resolution, for pose and for classification.

Sun, Xiao, Liu, Wang: "Deep High-Resolution Representation Learning for Human Pose Estimation", CVPR 2019
(arXiv 1902.09212); the classification head is that of arXiv 1904.04514. Parameter names are those of the two official
releases, so their checkpoints load unchanged.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.backbones.resnet import BasicBlock, Bottleneck


class ExchangeBlock(nn.Module):
    """Parallel branches at falling resolution, then an exchange unit that sums them into each other (paper sec. 3).

    Args:
        widths: channels of each branch; each has half the resolution of the one before.
        blocks: residual blocks in each branch.
        outputs: how many of the branches, from the finest on, receive a sum and are returned.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resample(widths, source, target) for source in range(len(widths)))
            for target in range(outputs)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map one (B, C_i, H / 2**i, W / 2**i) a branch to the same; only the first `outputs` of them."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [nn.functional.relu(_sum_resampled(row, maps)) for row in self.fuse_layers]


class HRNetTrunk(nn.Module):
    """The stem and four stages, each adding a branch of half the resolution and twice the width (paper fig. 1).

    Args:
        width: C, the channels of the finest branch; the others have 2C, 4C and 8C.
        stem_width, stem_blocks: the bottlenecks before the first branching.
        exchanges: exchange blocks in stages 2, 3 and 4.
        blocks: residual blocks in each branch of an exchange block.
        outputs: branches that the last exchange block returns.
    """

    def __init__(
        self,
        width: int,
        *,
        stem_width: int = 64,
        stem_blocks: int = 4,
        exchanges: tuple[int, int, int] = (1, 4, 3),
        blocks: int = 4,
        outputs: int = 4,
    ) -> None:
        super().__init__()
        self.widths = tuple(width * 2**i for i in range(4))
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        bottleneck_widths = (64,) + (stem_width * Bottleneck.expansion,) * stem_blocks
        self.layer1 = nn.Sequential(*(Bottleneck(before, stem_width) for before in bottleneck_widths[:-1]))
        before: tuple[int, ...] = bottleneck_widths[-1:]
        for stage, count in zip((2, 3, 4), exchanges, strict=True):
            after = self.widths[:stage]
            self.add_module(f"transition{stage - 1}", _transition(before, after))
            kept = [stage] * (count - 1) + [outputs if stage == 4 else stage]
            self.add_module(f"stage{stage}", nn.Sequential(*(ExchangeBlock(after, blocks, keep) for keep in kept)))
            before = after

    def branches(self, images: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) to one map a branch: (B, C, H/4, W/4), (B, 2C, H/8, W/8) and so on.

        Raises:
            ValueError: H/4 or W/4, rounded up, is no multiple of 8, so the branches would not fit onto each other.
        """
        x = nn.functional.relu(self.bn1(self.conv1(images)))
        x = nn.functional.relu(self.bn2(self.conv2(x)))
        if x.shape[2] % 8 or x.shape[3] % 8:
            raise ValueError(f"images are {tuple(images.shape[2:])}; height and width must be multiples of 32")
        maps = [self.layer1(x)]
        for stage in (2, 3, 4):
            transition = enumerate(self.get_submodule(f"transition{stage - 1}").children())
            # A new branch starts from the coarsest there is.
            maps = [enter(maps[min(i, len(maps) - 1)]) for i, enter in transition]
            maps = self.get_submodule(f"stage{stage}")(maps)
        return maps


class HRNetPose(HRNetTrunk):
    """HRNet for pose: one heatmap a keypoint from the finest branch (paper sec. 3, "Heatmap estimation").

    Args:
        width: 32 or 48 in the paper.
        num_keypoints: K, heatmaps to predict; 17 for COCO, 16 for MPII.
    """

    def __init__(self, width: int, num_keypoints: int = 17) -> None:
        super().__init__(width, outputs=1)
        self.num_keypoints = num_keypoints
        self.final_layer = nn.Conv2d(width, num_keypoints, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised crops (B, 3, H, W) to heatmaps (B, K, H/4, W/4); any size of multiples of 32.

        Raises:
            ValueError: the size does not fit; see `branches`.
        """
        (finest,) = self.branches(images)
        heatmaps: Tensor = self.final_layer(finest)
        return heatmaps


class HRNetClassifier(HRNetTrunk):
    """HRNet for ImageNet: all four branches, widened and added from fine to coarse (arXiv 1904.04514).

    Args:
        width: 18, 30, 32, 40, 44, 48 or 64 as published; 16 and 18 for the small ones.
        num_classes: N.
        stem_width, stem_blocks, exchanges, blocks: see `HRNetTrunk`; they make the small ones.
    """

    def __init__(
        self,
        width: int,
        num_classes: int = 1000,
        *,
        stem_width: int = 64,
        stem_blocks: int = 4,
        exchanges: tuple[int, int, int] = (1, 4, 3),
        blocks: int = 4,
    ) -> None:
        super().__init__(width, stem_width=stem_width, stem_blocks=stem_blocks, exchanges=exchanges, blocks=blocks)
        self.num_classes = num_classes
        increased = (32, 64, 128, 256)
        self.incre_modules = nn.ModuleList(
            nn.Sequential(Bottleneck(before, after)) for before, after in zip(self.widths, increased, strict=True)
        )
        totals = [width * Bottleneck.expansion for width in increased]
        self.downsamp_modules = nn.ModuleList(
            _conv_bn_relu(before, after, kernel=3, stride=2, bias=True) for before, after in pairwise(totals)
        )
        self.final_layer = _conv_bn_relu(totals[-1], 2048, kernel=1, stride=1, bias=True)
        self.classifier = nn.Linear(2048, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Pooled features (B, 2048) of normalised images (B, 3, H, W).

        Raises:
            ValueError: the size does not fit; see `branches`.
        """
        finest, *coarser = [widen(x) for widen, x in zip(self.incre_modules, self.branches(images), strict=True)]
        total = finest
        for shrink, x in zip(self.downsamp_modules, coarser, strict=True):
            total = x + shrink(total)
        pooled: Tensor = self.final_layer(total).mean(dim=(2, 3))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Class logits (B, N) of normalised images (B, 3, H, W); H and W are multiples of 32.

        Raises:
            ValueError: the size does not fit; see `branches`.
        """
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int, *, bias: bool = False) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias),
        nn.BatchNorm2d(out_channels),
    )


def _conv_bn_relu(
    in_channels: int, out_channels: int, kernel: int, stride: int, *, bias: bool = False
) -> nn.Sequential:
    return _conv_bn(in_channels, out_channels, kernel, stride, bias=bias).append(nn.ReLU(inplace=True))


def _resample(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Bring a branch to the width and resolution of another (paper fig. 3)."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = _conv_bn(widths[source], widths[target], kernel=1, stride=1)
        return up.append(nn.Upsample(scale_factor=2.0 ** (source - target), mode="nearest"))
    halvings = [_conv_bn_relu(widths[source], widths[source], kernel=3, stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, _conv_bn(widths[source], widths[target], kernel=3, stride=2))


def _sum_resampled(row: nn.Module, maps: Sequence[Tensor]) -> Tensor:
    resampled: list[Tensor] = [resample(x) for resample, x in zip(row.children(), maps, strict=True)]
    return reduce(torch.add, resampled)


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Lead the branches of one stage into the next, which has one more."""
    kept = [
        nn.Identity() if old == new else _conv_bn_relu(old, new, kernel=3, stride=1)
        for old, new in zip(before, after, strict=False)
    ]
    return nn.ModuleList([*kept, nn.Sequential(_conv_bn_relu(before[-1], after[-1], kernel=3, stride=2))])
