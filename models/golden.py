"""Golden samples: a fixed picture and what a network made of it when its weights were released."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import Checkpoint, CheckpointError, Preprocessing
from models.predictors.gait import answers_of
from models.predictors.pose import heatmaps_of
from models.predictors.reid import PersonEmbedder
from models.transforms import to_tensor

COSINE = 0.9999
"""How like its golden sample an answer must be."""
LOW_PRECISION_COSINE = 0.99
"""The same in bfloat16, which moves heatmaps by a thousandth, and in int8, which has golden samples of its own."""


def golden_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A fixed picture of soft waves (H, W, 3) uint8, for comparing a network with its own past."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [np.sin(x / (5 + c) + c) * np.cos(y / (9 - 2 * c)) for c in range(3)]
    return np.round(127.5 + 127.5 * np.stack(waves, axis=2)).astype(np.uint8)


def golden_input(preprocessing: Preprocessing) -> Tensor:
    """The golden picture as a network sees it, (3, *size) float32."""
    return preprocessing.normalisation(to_tensor(golden_image(preprocessing.size)))


def golden_item(checkpoint: Checkpoint) -> Tensor:
    """The golden picture as a checkpoint's predictor prepares it: of one channel for gait, else as `golden_input`."""
    picture = golden_input(checkpoint.preprocessing)
    return picture[:1] if checkpoint.task == "gait" else picture


def golden_path(checkpoint: Checkpoint, weights_dir: Path) -> Path:
    """Where a checkpoint's golden sample lies."""
    return weights_dir / "golden" / f"{checkpoint.name}.npy"


def read_golden(checkpoint: Checkpoint, weights_dir: Path) -> NDArray[np.float32]:
    """A checkpoint's golden sample: one row of its predictor's `forward`, float32.

    Raises:
        CheckpointError: it is not there, or no array; the message names the file.
    """
    path = golden_path(checkpoint, weights_dir)
    sample = f"the golden sample of {checkpoint.name}, {path},"
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except FileNotFoundError as error:
        raise CheckpointError(f"{sample} is missing") from error
    except OSError as error:
        raise CheckpointError(f"{sample} cannot be read: {error.strerror}") from error
    except Exception as error:  # of numpy's reading, which have no common class
        raise CheckpointError(f"{sample} is damaged") from error


def in_int8(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint under the name of its int8 golden sample."""
    return replace(checkpoint, name=f"{checkpoint.name}.int8")


def agrees(row: Tensor, golden: NDArray[np.float32], cosine: float = COSINE) -> bool:
    """Whether a row points where the golden sample does, to that cosine; one of zeros points nowhere."""
    a, b = row.double().numpy().ravel(), golden.astype(np.float64).ravel()
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return a.shape == b.shape and lengths > 0 and float(a @ b) >= cosine * lengths


def write_golden(checkpoint: Checkpoint, network: nn.Module, weights_dir: Path) -> None:
    """Write what a network makes of the golden picture: an embedding (D,), heatmaps (K, H, W) or answers (K,), float32.

    Raises:
        CheckpointError: the network cannot see pictures of the checkpoint's size.
    """
    forward, size = _forward(checkpoint, network), checkpoint.preprocessing.size
    try:
        with torch.inference_mode():
            row = forward(golden_item(checkpoint)[None])[0]
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"the network cannot see pictures of {size}: {error}") from error
    path = golden_path(checkpoint, weights_dir)
    path.parent.mkdir(exist_ok=True)
    np.save(path, row.numpy(), allow_pickle=False)


def _forward(checkpoint: Checkpoint, network: nn.Module) -> Callable[[Tensor], Tensor]:
    if checkpoint.task == "pose":
        return partial(heatmaps_of, network.eval())
    seen = checkpoint.preprocessing
    if checkpoint.task == "gait":
        return partial(answers_of, network.eval(), flip=seen.flip)
    return PersonEmbedder(network, seen.size, seen.normalisation, seen.flip).forward
