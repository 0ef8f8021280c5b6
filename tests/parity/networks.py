"""Our networks against one variant's folder: `meta.json`, `keys.json` and an npz of outputs a case."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.parity.build import build, outputs
from tests.parity.result import Result
from tests.parity.seeding import seed_weights, seeded_input

TOLERANCE = 1e-4  # of the reference's standard deviation
# Attention to positions and channels amplifies rounding: the authors' own code has a noise floor of 2e-5.
AMPLIFYING_TOLERANCE = 1e-3


def run(directory: Path) -> Iterator[Result]:
    """Compare the keys of the `state_dict` and every stored output of every case of a variant.

    Args:
        directory: the variant's folder; its layout is that of the reference data.

    Yields:
        one result an output as it is compared. Errors are in standard deviations of the reference, except for the
        row `state_dict`, which counts entries whose name, place, shape or dtype differs.
    """
    meta = json.loads((directory / "meta.json").read_text())
    keys = json.loads((directory / "keys.json").read_text())
    shapes = {name: tuple(shape) for name, shape, _ in keys}
    for case, details in meta["cases"].items():
        shape = tuple(details["input_shape"])
        network = build(meta["build"], shapes, shape[2:])
        differing = count_differing_entries(network, keys)
        yield Result(case, "state_dict", differing, 0, passed=differing == 0)
        seed_weights(network, meta["gain"], meta["damp"], meta["weight_seed_offset"])
        images = seeded_input(case, shape, meta["input_kind"], meta["weight_seed_offset"])
        tolerance = AMPLIFYING_TOLERANCE if meta["build"].get("branch") == "rgasc" else TOLERANCE
        with np.load(directory / f"{case}.npz") as stored:
            ours = outputs(network, images)
            for name, output in details["outputs"].items():
                errors = compare(ours[name], output, {key: stored[key] for key in stored if _is_of(key, name)})
                for part, error in errors.items():
                    yield Result(case, part, error, tolerance, passed=error <= tolerance)


def count_differing_entries(network: nn.Module, keys: list[tuple[str, list[int], str]]) -> int:
    """How many entries of the network's `state_dict` are not, in order, the listed names, shapes and dtypes."""
    ours = [[name, list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in network.state_dict().items()]
    matching = sum(mine == list(official) for mine, official in zip(ours, keys, strict=False))
    return max(len(ours), len(keys)) - matching


def compare(ours: Tensor, details: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Errors of one output in standard deviations of the whole reference output, infinite where shapes differ.

    Args:
        ours: the whole output.
        details: its entry in `meta.json`: shape, statistics, and whether all of it is stored or a sample ("flat[::7]").
        stored: its arrays by name: the values, and for a sampled output the summaries of all its maps.
    """
    if list(ours.shape) != details["shape"]:
        return dict.fromkeys(stored, math.inf)
    stride = int(details["stored"].removeprefix("flat[::").rstrip("]")) if details["stored"] != "full" else 1
    return {
        key: _difference(key.partition("__")[2], ours, array, stride) / details["stats"]["std"]
        for key, array in stored.items()
    }


def _difference(summary: str, ours: Tensor, stored: NDArray[Any], stride: int) -> float:
    reference = torch.from_numpy(stored)
    maps = ours.flatten(-2)
    match summary:
        case "chan_mean":
            difference = maps.mean(dim=-1) - reference
        case "chan_std":
            difference = maps.std(dim=-1, correction=0) - reference
        case "chan_argmax":  # rounding may swap two peaks, so what counts is how far their place is below our peak
            difference = maps.amax(dim=-1) - maps.gather(-1, reference.long().unsqueeze(-1)).squeeze(-1)
        case _:
            difference = ours.flatten()[::stride] - reference.flatten()
    return float(difference.abs().nan_to_num(nan=math.inf).max())


def _is_of(key: str, output: str) -> bool:
    return key.partition("__")[0] == output
