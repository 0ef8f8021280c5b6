"""Fresh weights: speed does not depend on what a network has learnt."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import models
from models.checkpoint import Checkpoint, load_network
from models.golden import write_golden
from models.importing import Converted, new_checkpoint, store
from models.runtimes.torch import Precision, open_torch


@dataclass(frozen=True)
class Fresh:
    """A network to serve.

    Attributes:
        label: for tables.
        network: of `models.names()`.
        size: (height, width) of its input; None for its authors' own.
        arguments: it is built with.
    """

    label: str
    network: str
    size: tuple[int, int] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


RESNET_50 = Fresh("ResNet-50, 256x128", "resnet18_bnneck", (256, 128), {"depths": (3, 4, 6, 3), "bottleneck": True})
COMPACT = Fresh("ResNet-18 of width 48, 128x64", "resnet18_bnneck", (128, 64), {"width": 48, "input_size": (128, 64)})
RGA_SC = Fresh("RGA-SC ResNet-50", "rga_sc_resnet50")
RRID = Fresh("RRID", "rrid_resnet50")
HRNET_W32 = Fresh("HRNet-W32", "hrnet_w32_pose", arguments={"num_keypoints": 17})
TINY = Fresh("tiny", "resnet18_bnneck", (32, 16), {"depths": (1, 1, 1, 1), "width": 8, "input_size": (32, 16)})
HOURGLASS_2 = Fresh("hourglass-2", "hourglass_princeton", arguments={"num_stacks": 2, "num_keypoints": 16})


def write_fresh(fresh: Fresh, folder: Path, precision: Precision = "fp32", name: str = "fresh") -> Checkpoint:
    """Add a checkpoint to a folder, which looks at pictures once, not at their mirror images too.

    Its golden sample is computed in the precision that is served: rounding is large where nothing was learnt.
    """
    torch.manual_seed(0)
    state = dict(models.create(fresh.network, **fresh.arguments).state_dict())
    converted = Converted("fresh.pth", "", fresh.network, dict(fresh.arguments), state, ())
    draft = new_checkpoint(converted, name, size=fresh.size)
    draft = replace(draft, preprocessing=replace(draft.preprocessing, flip=False))
    checkpoint = store(converted, draft, folder)
    network = load_network(checkpoint, folder)
    write_golden(checkpoint, open_torch(network, torch.device("cpu"), precision), folder)
    return checkpoint
