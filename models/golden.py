"""Golden samples: a fixed picture and what a network made of it when its weights were released."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.checkpoint import Checkpoint, CheckpointError
from models.predictors.reid import PersonEmbedder


def golden_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A fixed picture of soft waves (H, W, 3) uint8, for comparing a network with its own past."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [np.sin(x / (5 + c) + c) * np.cos(y / (9 - 2 * c)) for c in range(3)]
    return np.round(127.5 + 127.5 * np.stack(waves, axis=2)).astype(np.uint8)


def golden_path(checkpoint: Checkpoint, weights_dir: Path) -> Path:
    """Where a checkpoint's golden sample lies."""
    return weights_dir / "golden" / f"{checkpoint.name}.npy"


def write_golden(checkpoint: Checkpoint, network: nn.Module, weights_dir: Path) -> None:
    """Write what a re-identification network makes of the golden picture: its embedding (D,) float32.

    Raises:
        CheckpointError: the network cannot see pictures of the checkpoint's size.
    """
    preprocessing = checkpoint.preprocessing
    embedder = PersonEmbedder(network, preprocessing.size, preprocessing.normalisation, preprocessing.flip)
    try:
        with torch.inference_mode():
            row = embedder.forward(embedder.prepare(golden_image(embedder.size))[None])[0]
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"the network cannot see pictures of {embedder.size}: {error}") from error
    path = golden_path(checkpoint, weights_dir)
    path.parent.mkdir(exist_ok=True)
    np.save(path, embedder.finish(row), allow_pickle=False)
