"""GL-CNN: age and gender from a gait energy image (GEI), seen as a whole and in parts.

Zhu, Zhang, Li, Zhang, Shan: "Ordinal Distribution Regression for Gait-based Age Estimation" (arXiv 1905.11005). No
official code is published. Layers, sizes and parameter names are those of the one re-implementation that is, which
shares one set of weights between the three body parts and has no batch normalisation. Two of its faults are not
repeated: its dropout stays active at inference, and its linear layer fits 64x44 only.
"""

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows of head, body and feet at each height that a feature map can have.
PART_HEIGHTS = {128: (22, 48, 58), 64: (10, 24, 30), 32: (6, 12, 14)}


class GLCNNOutput(NamedTuple):
    """Features (B, 1024), age logits (B, num_ages) and gender logits (B, num_genders)."""

    features: Tensor
    age_logits: Tensor
    gender_logits: Tensor


class _Conv(nn.Module):
    """Convolution of unchanged size and leaky ReLU; `forward` also halves the size by its maxima."""

    def __init__(self, in_channels: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.leaky_relu(self.conv(x)), 2)


class _PartConv(nn.Module):
    """The same for each body part on its own, with zeros beyond the part's border; the parts share weights."""

    def __init__(self, in_channels: int, channels: int, kernel: tuple[int, int], heights: tuple[int, int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, channels, kernel, padding=padding), nn.LeakyReLU(), nn.MaxPool2d(2)
        )
        self.heights = heights

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(part) for part in torch.split(x, list(self.heights), dim=2)], dim=2)


class GLCNN(nn.Module):
    """Global and local convolutions of a GEI, joined, with one head for age and one for gender.

    Args:
        input_size: (height, width) of the GEI, (64, 44) or (128, 88). Weights of one do not fit the other.
        num_ages: outputs of the age head.
        num_genders: outputs of the gender head.

    Raises:
        ValueError: it is not known how to part a body of this height.
    """

    def __init__(self, input_size: tuple[int, int] = (64, 44), num_ages: int = 100, num_genders: int = 2) -> None:
        super().__init__()
        height, width = input_size
        if height not in (64, 128):
            raise ValueError(f"input_size is {input_size}; its height must be 64 or 128")
        self.input_size = input_size
        self.gl_conv1 = _Conv(1, 32, 7)
        self.gl_conv2 = _Conv(32, 64, 7)
        self.lc_conv1 = _PartConv(1, 32, (7, 7), PART_HEIGHTS[height])
        self.lc_conv2 = _PartConv(32, 64, (5, 7), PART_HEIGHTS[height // 2])
        self.conv = _Conv(128, 128, 5)
        self.linear_layer1 = nn.Linear(128 * (height // 8) * (width // 8), 1024)
        self.linear_layer2 = nn.Linear(1024, 1024)
        self.linear_age = nn.Linear(1024, num_ages)
        self.linear_gender = nn.Linear(1024, num_genders)

    def forward(self, geis: Tensor) -> GLCNNOutput:
        """Features and logits of GEIs (B, 1, H, W) in 0..1.

        Raises:
            RuntimeError: (H, W) differs from `input_size`.
        """
        whole = self.gl_conv2(self.gl_conv1(geis))
        parts = self.lc_conv2(self.lc_conv1(geis))
        features = self.conv(torch.cat([whole, parts], dim=1)).flatten(1)
        for linear in (self.linear_layer1, self.linear_layer2):
            features = F.dropout(F.leaky_relu(linear(features)), 0.5, self.training)
        return GLCNNOutput(features, self.linear_age(features), self.linear_gender(features))


def initialise(network: GLCNN) -> None:
    """Initialise in place for training from scratch, by Glorot and Bengio's uniform rule; linear biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(cast(Tensor, module.bias))
