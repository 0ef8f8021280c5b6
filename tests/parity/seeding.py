"""Weights and inputs from names alone, so that an oracle needs no weight file.

The rule is that of the reference data: each array is drawn in float64 from a generator that is seeded by the CRC-32 of
its name, scaled so that activations neither vanish nor explode, and rounded to float32 last.
"""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def seed_weights(network: nn.Module, gain: float, damp: Mapping[str, float], offset: int = 0) -> None:
    """Overwrite every entry of the network's `state_dict` by the rule, and set the network to evaluation."""
    state = network.state_dict()
    filled = {name: torch.from_numpy(_filled(name, tuple(t.shape), gain, damp, offset)) for name, t in state.items()}
    network.load_state_dict(filled, strict=True)
    network.eval()


def seeded_input(case: str, shape: tuple[int, int, int, int], kind: str, offset: int = 0) -> Tensor:
    """A blocky random batch of the given NCHW shape; `kind` is "normal" or "unit", which is clipped to 0..1."""
    generator = _generator(case, offset)
    n, c, h, w = shape
    fine = generator.standard_normal(shape)
    coarse = generator.standard_normal((n, c, -(-h // 16), -(-w // 16)))
    shift = generator.standard_normal((n, c, 1, 1))
    array = 0.5 * fine + coarse.repeat(16, 2).repeat(16, 3)[:, :, :h, :w] + 0.5 * shift
    if kind == "unit":
        array = np.clip(0.5 + 0.15 * array, 0.0, 1.0)
    return torch.from_numpy(array.astype(np.float32))


def _filled(
    name: str, shape: tuple[int, ...], gain: float, damp: Mapping[str, float], offset: int
) -> NDArray[np.float32] | NDArray[np.int64]:
    generator = _generator(name, offset)
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf in ("running_mean", "bias"):
        array = 0.1 * generator.standard_normal(shape)
    elif leaf == "running_var" or len(shape) < 2:
        array = 0.5 + generator.random(shape)
    else:
        array = generator.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    if leaf == "weight" and len(shape) >= 2:
        for part, factor in damp.items():
            if part in name:
                array = array * factor
    return np.asarray(array).astype(np.float32)


def _generator(name: str, offset: int) -> np.random.Generator:
    return np.random.default_rng((zlib.crc32(name.encode()) + offset) % 2**32)
