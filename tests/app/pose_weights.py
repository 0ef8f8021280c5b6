"""Small pose checkpoints that were never trained: they find something in every picture, the same every time."""

from pathlib import Path

import torch
from torch import nn

import models
from models.checkpoint import Checkpoint, bundled_weights_dir
from models.importing import Converted, new_checkpoint, store

SIZE = (64, 64)
HOURGLASS = {"num_stacks": 2, "num_blocks": 1, "channels": 16}


def write_hourglass(weights_dir: Path, name: str, num_keypoints: int) -> Checkpoint:
    """Enter a tiny hourglass in a weights folder, with its golden sample."""
    torch.manual_seed(num_keypoints)
    arguments = HOURGLASS | {"num_keypoints": num_keypoints}
    network = models.create("hourglass_bearpaw", **arguments)
    _spread(network)
    converted = Converted(f"{name}.pth", "", "hourglass_bearpaw", arguments, dict(network.state_dict()), ())
    return store(converted, new_checkpoint(converted, name, "none", SIZE), weights_dir)


@torch.no_grad()
def _spread(network: nn.Module) -> None:
    """Fresh networks answer with almost nothing; larger last layers make peaks that count as confident."""
    for layer in network.score:  # type: ignore[union-attr]
        layer.weight.mul_(8)


def with_bundled(weights_dir: Path) -> Path:
    """A weights folder that also has the bundled re-identification checkpoint."""
    bundled = bundled_weights_dir()
    weights_dir.mkdir(parents=True, exist_ok=True)
    (weights_dir / "golden").mkdir(exist_ok=True)
    for source in (
        *bundled.glob("resnet18-market1501-compact.safetensors"),
        *bundled.glob("golden/resnet18-market1501*.npy"),
    ):
        (weights_dir / source.relative_to(bundled)).symlink_to(source)
    (weights_dir / "manifest.toml").write_text((bundled / "manifest.toml").read_text())
    return weights_dir
