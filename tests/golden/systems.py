"""Which networks have golden outputs, and how their answers are taken and kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import models
from tests.parity.build import outputs
from tests.parity.seeding import seed_weights, seeded_input

KEPT = 24  # values of each output


@dataclass(frozen=True)
class System:
    """A network, and the scale of weights and kind of input that keep its activations alive.

    Attributes:
        shape: NCHW of the input.
        arguments: keyword arguments of `models.create`.
        gain, damp, kind: see `seed_weights` and `seeded_input`.
    """

    name: str
    shape: tuple[int, int, int, int]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    gain: float = 1.0
    damp: Mapping[str, float] = field(default_factory=dict)
    kind: str = "normal"

    @property
    def path(self) -> Path:
        """The file of its golden outputs."""
        size = "x".join(str(side) for side in self.shape[2:])
        return Path(__file__).parent / f"{self.name}_{size}.json"


_RGA_DAMP = {"gg_spatial.": 0.01, "gg_channel.": 0.002}
_HRNET: dict[str, Any] = {"gain": 0.6, "damp": {".fuse_layers.": 0.4}}
_PRINCETON: dict[str, Any] = {"gain": 0.8, "damp": {"merge_features.": 0.15, "merge_preds.": 0.15}, "kind": "unit"}
_BEARPAW: dict[str, Any] = {"gain": 0.8, "damp": {"fc_.": 0.15, "score_.": 0.15}, "kind": "unit"}

SYSTEMS = (
    System("rga_sc_resnet50", (2, 3, 128, 64), {"num_classes": 9, "input_size": (128, 64)}, 1.3, _RGA_DAMP),
    System("rga_s_resnet50", (2, 3, 64, 64), {"input_size": (64, 64)}, 1.3, _RGA_DAMP),
    System("rga_c_resnet50", (2, 3, 64, 64), {"input_size": (64, 64)}, 1.3, _RGA_DAMP),
    System("rga_sc_resnet18", (2, 3, 128, 64), {"num_classes": 9, "input_size": (128, 64)}, 1.3, _RGA_DAMP),
    System("rrid_resnet50", (2, 3, 192, 64), {"num_classes": 9}),
    System("hrnet_w32_pose", (2, 3, 64, 96), **_HRNET),
    System("hrnet_w48_pose", (1, 3, 64, 64), {"num_keypoints": 16}, **_HRNET),
    System("hrnet_w18_cls", (2, 3, 64, 64), {"num_classes": 9}, **_HRNET),
    System("hrnet_w18_small_v1_cls", (2, 3, 64, 64), {"num_classes": 9}, **_HRNET),
    System("hrnet_w18_small_v2_cls", (2, 3, 64, 64), {"num_classes": 9}, **_HRNET),
    System("hourglass_princeton", (1, 3, 64, 128), {"num_stacks": 2}, **_PRINCETON),
    System("hourglass_bearpaw", (1, 3, 64, 128), {"num_stacks": 2, "num_blocks": 2, "num_keypoints": 17}, **_BEARPAW),
    System("glcnn", (2, 1, 64, 44), {"num_ages": 89}, 2.0, kind="unit"),
    System("glcnn", (1, 1, 128, 88), {"input_size": (128, 88)}, 2.0, kind="unit"),
)


def answer(system: System) -> dict[str, Any]:
    """Build and seed the network, run it, and keep what identifies its keys and its outputs.

    Returns:
        `state_dict`: a digest of all names and shapes; `outputs`: for each its shape, its standard deviation and
        evenly spread values.
    """
    network = models.create(system.name, **system.arguments)
    seed_weights(network, system.gain, system.damp)
    images = seeded_input(system.path.stem, system.shape, system.kind)
    return {
        "state_dict": _digest(network),
        "outputs": {name: _summary(output) for name, output in outputs(network, images).items()},
    }


def _digest(network: nn.Module) -> str:
    entries = [(name, list(tensor.shape)) for name, tensor in network.state_dict().items()]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _summary(output: Tensor) -> dict[str, Any]:
    flat = output.flatten()
    return {
        "shape": list(output.shape),
        "std": float(flat.std()),
        "values": flat[:: len(flat) // KEPT | 1].tolist(),  # an odd stride meets all columns
    }
