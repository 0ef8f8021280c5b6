"""Relation-Aware Global Attention (RGA) for person re-identification.

Zhang, Lan, Zeng, Jin, Chen: "Relation-Aware Global Attention for Person Re-identification", CVPR 2020
(arXiv 1904.02998). Parameter names are those of the official release, so its checkpoints load unchanged; names such as
`gx_spatial` or `W_channel` are the authors'.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.backbones.resnet import BasicBlock, Bottleneck, ResNetTrunk


def relation_features(theta: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
    """Embed every node's relations to all nodes (paper eq. 1-2), without forming the N x N relation matrix.

    With the relations R = theta^T phi, the paper stacks R^T and R (how the others see a node, how it sees them) and
    applies a 1x1 convolution [W_in | W_out] to the stack. That is linear, so the convolution may meet the thin factors
    first: W_in R^T + W_out R = (W_in phi^T) theta + (W_out theta^T) phi. This costs N * D instead of N * N a node.

    Args:
        theta: (B, D, N) embedded nodes.
        phi: (B, D, N) embedded nodes.
        weight: (M, 2N), the convolution [W_in | W_out].

    Returns:
        (B, M, N), M features for each node.
    """
    nodes = theta.shape[-1]
    incoming = weight[:, :nodes] @ phi.mT  # (B, M, D)
    outgoing = weight[:, nodes:] @ theta.mT  # (B, M, D)
    return torch.cat([incoming, outgoing], dim=2) @ torch.cat([theta, phi], dim=1)


def relation_features_explicit(theta: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
    """The same function as `relation_features`, written as the paper has it: relation matrix first."""
    relations = theta.mT @ phi  # (B, N, N)
    return weight @ torch.cat([relations.mT, relations], dim=1)


class RGAModule(nn.Module):
    """One attention module: where to look (RGA-S), then which channels to use (RGA-C) (paper sec. 3.2-3.4).

    Args:
        channels: C of the feature map it is applied to.
        positions: H * W of that map. Weight shapes depend on it, so a module fits one input size.
        spatial: attend to positions.
        channel: attend to channels.
        channel_ratio, spatial_ratio: how much smaller the embedding of channels or of positions is (r1 in the paper).
        head_ratio: how much smaller the hidden layer is that turns relations into attention (r2 in the paper).
        factorised: use `relation_features`; otherwise `relation_features_explicit`.
    """

    def __init__(
        self,
        channels: int,
        positions: int,
        *,
        spatial: bool = True,
        channel: bool = True,
        channel_ratio: int = 8,
        spatial_ratio: int = 8,
        head_ratio: int = 8,
        factorised: bool = True,
    ) -> None:
        super().__init__()
        self.spatial, self.channel, self.factorised = spatial, channel, factorised
        # Small inputs leave fewer positions than the ratio.
        c, s = max(1, channels // channel_ratio), max(1, positions // spatial_ratio)
        # (part, size of a node's description, its embedding, nodes, embedding of a node's relations)
        parts = [("spatial", channels, c, positions, s)] * spatial + [("channel", positions, s, channels, c)] * channel
        # The loops keep the official order of keys.
        for part, in_size, embedded, _, _ in parts:
            self.add_module(f"gx_{part}", _conv_bn_relu(in_size, embedded))
        for part, _, _, nodes, related in parts:
            self.add_module(f"gg_{part}", _conv_bn_relu(nodes * 2, related))
        for part, _, _, _, related in parts:
            self.add_module(f"W_{part}", _attention_head(1 + related, head_ratio))
        for part, in_size, embedded, _, _ in parts:
            self.add_module(f"theta_{part}", _conv_bn_relu(in_size, embedded))
            self.add_module(f"phi_{part}", _conv_bn_relu(in_size, embedded))

    def forward(self, x: Tensor) -> Tensor:
        """Scale x (B, C, H, W) by its attention.

        Raises:
            RuntimeError: H * W differs from `positions`.
        """
        if self.spatial:
            x = x * self._attention(x, "spatial")  # (B, 1, H, W)
        if self.channel:
            channels_as_nodes = x.flatten(2).mT.unsqueeze(3)  # (B, HW, C, 1)
            x = x * self._attention(channels_as_nodes, "channel").transpose(1, 2)  # (B, C, 1, 1)
        return x

    def _attention(self, nodes: Tensor, part: str) -> Tensor:
        """One value in 0..1 a node, from its relations to all nodes and from itself: (B, size, *N) -> (B, 1, *N)."""
        get = self.get_submodule
        theta, phi = get(f"theta_{part}")(nodes).flatten(2), get(f"phi_{part}")(nodes).flatten(2)
        convolution, norm, relu = get(f"gg_{part}").children()
        embed = relation_features if self.factorised else relation_features_explicit
        relations = embed(theta, phi, convolution.get_parameter("weight").flatten(1))
        relations = relu(norm(relations.reshape(*relations.shape[:2], *nodes.shape[2:])))
        itself = get(f"gx_{part}")(nodes).mean(dim=1, keepdim=True)
        return torch.sigmoid(get(f"W_{part}")(torch.cat([itself, relations], dim=1)))


class RGATrunk(ResNetTrunk):
    """A ResNet trunk with one `RGAModule` after each stage (paper sec. 4.1); none if neither attention is asked for."""

    def __init__(
        self,
        input_size: tuple[int, int],
        spatial: bool,
        channel: bool,
        factorised: bool,
        depths: Sequence[int],
        width: int,
        block: type[BasicBlock] | type[Bottleneck],
    ) -> None:
        super().__init__(depths, width, block)
        height, width_ = input_size
        self.attended = spatial or channel
        for i, (channels, stride) in enumerate(zip(self.stage_channels, (4, 8, 16, 16), strict=True)):
            positions = math.ceil(height / stride) * math.ceil(width_ / stride)
            if self.attended:
                module = RGAModule(channels, positions, spatial=spatial, channel=channel, factorised=factorised)
                self.add_module(f"rga_att{i + 1}", module)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to attended features (B, stage_channels[3], H/16, W/16)."""
        x = self.stem(images)
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
            if self.attended:
                x = self.get_submodule(f"rga_att{i}")(x)
        return x


class RGANet(nn.Module):
    """RGA re-identification network: attended trunk, average pooling, BN neck, identity classifier.

    Args:
        num_classes: training identities; 0 builds no classifier, which is what serving needs.
        input_size: (height, width) of the crops. Attention weights fit one size.
        attention: "sc" spatial then channel, "s", "c", or "" for the plain host network.
        depths, width, bottleneck: the host ResNet; the defaults are ResNet-50 as in the paper, and
            (2, 2, 2, 2) with `bottleneck=False` is ResNet-18.
        factorised: see `relation_features`; the explicit form exists for comparison.
        before_neck: compare the pooled feature itself, not the one behind the BN neck; the authors report both.
    """

    def __init__(
        self,
        num_classes: int = 0,
        input_size: tuple[int, int] = (256, 128),
        attention: str = "sc",
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        bottleneck: bool = True,
        factorised: bool = True,
        before_neck: bool = False,
    ) -> None:
        super().__init__()
        if attention not in ("sc", "s", "c", ""):
            raise ValueError(f"attention is {attention!r}; it must be 'sc', 's', 'c' or ''")
        self.input_size, self.before_neck = input_size, before_neck
        self.backbone = RGATrunk(
            input_size,
            "s" in attention,
            "c" in attention,
            factorised,
            depths,
            width,
            Bottleneck if bottleneck else BasicBlock,
        )
        self.embedding_dim = self.backbone.stage_channels[-1]
        self.feat_bn = nn.BatchNorm1d(self.embedding_dim)
        self.feat_bn.bias.requires_grad_(False)
        self.cls = nn.Linear(self.embedding_dim, num_classes, bias=False) if num_classes else None

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features before and after the BN neck (`feat_`, `feat`), both (B, D), of normalised crops."""
        pooled = self.backbone(images).mean(dim=(2, 3))
        return pooled, self.feat_bn(pooled)

    def logits(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What training needs: `feat_`, `feat` and the identity logits (B, num_classes).

        Raises:
            ValueError: the network was built without a classifier.
        """
        if self.cls is None:
            raise ValueError("this network has no classifier; build it with num_classes > 0")
        before, after = self.features(images)
        return before, after, self.cls(after)

    def forward(self, images: Tensor) -> Tensor:
        """The feature that is compared by cosine, not normalised: (B, 3, H, W) -> (B, D)."""
        before, after = self.features(images)
        return before if self.before_neck else after


def initialise(network: nn.Module) -> None:
    """He-initialise a network in place for training from scratch; the classifier starts near zero."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear) and name.endswith("cls"):
            nn.init.normal_(module.weight, std=0.001)


def level_gates(network: nn.Module) -> None:
    """Let every gate start at a half everywhere, in place, so that attention added to a trained host leaves it whole.

    The last scale of each attention head becomes zero, as Goyal et al. (2017, section 5.1) do for residual branches.
    """
    for name, module in network.named_modules():
        if name.endswith(("W_channel", "W_spatial")):
            nn.init.zeros_(module.get_parameter("4.weight"))


def _conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
    )


def _attention_head(in_channels: int, ratio: int) -> nn.Sequential:
    hidden = max(1, in_channels // ratio)
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, 1, 1, bias=False),
        nn.BatchNorm2d(1),
    )
