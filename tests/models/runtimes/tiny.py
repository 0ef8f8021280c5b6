"""Small networks of every family, and checkpoints that stand for them."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

import models
from models.checkpoint import Checkpoint, Preprocessing
from tests.parity.seeding import seed_weights


@dataclass(frozen=True)
class Tiny:
    """One network, untrained but with activations that stay alive.

    Attributes:
        shape: (C, H, W) of its input.
        gain, damp: see `seed_weights`.
    """

    name: str
    shape: tuple[int, int, int]
    arguments: dict[str, Any] = field(default_factory=dict)
    gain: float = 1.0
    damp: dict[str, float] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The network, in evaluation mode."""
        network = models.create(self.name, **self.arguments)
        seed_weights(network, self.gain, self.damp)
        return network.eval()

    def checkpoint(self, sha256: str = "0") -> Checkpoint:
        """A manifest entry for it, without a file."""
        task = {1: "gait", 3: "reid"}[self.shape[0]]
        seen, file = Preprocessing(self.shape[1:]), f"{self.name}.safetensors"
        return Checkpoint("tiny", task, self.name, seen, file, sha256, "here", "none", True, arguments=self.arguments)


RGA = Tiny(
    "rga_sc_resnet18",
    (3, 64, 32),
    {"input_size": (64, 32), "width": 8},
    1.3,
    {"gg_spatial.": 0.01, "gg_channel.": 0.01},
)
PLAIN = Tiny("resnet18_bnneck", (3, 32, 16), {"input_size": (32, 16), "width": 8})
HOURGLASS = Tiny(
    "hourglass_bearpaw", (3, 64, 64), {"num_stacks": 2, "channels": 16}, 0.8, {"fc_.": 0.15, "score_.": 0.15}
)
PRINCETON = Tiny("hourglass_princeton", (3, 64, 64), {"num_stacks": 1, "channels": 16}, 0.8)
GLCNN = Tiny("glcnn", (1, 64, 44), {"num_ages": 89}, 2.0)
HRNET = Tiny("hrnet_w32_pose", (3, 64, 32), {}, 0.6, {".fuse_layers.": 0.4})
RRID = Tiny("rrid_resnet50", (3, 96, 32))


def random_images(count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Noise in 0..1, always the same."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(7))
