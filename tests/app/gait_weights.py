"""A gait checkpoint that was never trained: it tells some age of every walk, the same every time."""

from pathlib import Path

import torch
from safetensors.torch import save_file

import models
from models.checkpoint import Checkpoint, Interval, Preprocessing, sha256_of
from models.golden import write_golden
from models.manifest import write_entry

SIZE = (64, 44)
NUM_AGES = 20


def write_glcnn(weights_dir: Path, name: str = "walker") -> Checkpoint:
    """Enter an untrained GL-CNN in a weights folder, with its golden sample and an interval."""
    torch.manual_seed(0)
    weights_dir.mkdir(parents=True, exist_ok=True)
    network = models.create("glcnn", input_size=SIZE, num_ages=NUM_AGES)
    path = weights_dir / f"{name}.safetensors"
    save_file(network.state_dict(), path, {"format": "pt"})
    checkpoint = Checkpoint(
        name=name,
        task="gait",
        network="glcnn",
        preprocessing=Preprocessing(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), flip=True),
        file=path.name,
        sha256=sha256_of(path),
        origin="made for a test",
        licence="none",
        commercial_use=False,
        trained_on=("synthetic:1:0",),
        arguments={"input_size": SIZE, "num_ages": NUM_AGES},
        interval=Interval(0.9, 2.0, "nobody"),
        gender=True,
    )
    write_golden(checkpoint, network, weights_dir)
    write_entry(weights_dir, checkpoint)
    return checkpoint
