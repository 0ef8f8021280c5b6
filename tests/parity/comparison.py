"""Reading stored answers and comparing ours with them."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.parity.result import Result

Check = Callable[[Path], Iterator[Result]]


def case_name(path: Path) -> str:
    """A file's name in the report: its folder and stem."""
    return f"{path.parent.name}/{path.stem}"


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def figures(path: Path) -> Any:  # noqa: ANN401 - json
    """The content of the json file of that name, whatever the suffix of `path`."""
    return json.loads(path.with_suffix(".json").read_text())


def compare(path: Path, output: str, ours: ArrayLike, reference: ArrayLike, tolerance: float = 0) -> Result:
    """Compare numbers; their largest absolute difference must not exceed the tolerance.

    NaN, a wrong shape and nothing to compare are infinitely wrong.
    """
    mine, theirs = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    error = math.inf
    if mine.shape == theirs.shape and mine.size:
        error = float(np.abs(mine - theirs).max())
    return Result(case_name(path), output, error if error == error else math.inf, tolerance, error <= tolerance)


def scale_of(reference: ArrayLike) -> float:
    """The largest magnitude among numbers, but at least 1: what rounding errors are proportional to."""
    return max(1.0, float(np.abs(np.asarray(reference, np.float64)).max()))


def compare_affine(
    path: Path, output: str, ours: ArrayLike, reference: ArrayLike, tolerance: float
) -> Iterator[Result]:
    """Compare affine maps (..., 2, 3): turn and offset apart, since offsets are far larger; relative to each."""
    mine, theirs = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    for part, columns in {"turn": slice(0, 2), "offset": slice(2, 3)}.items():
        scale = scale_of(theirs[..., columns])
        yield compare(path, f"{output} {part}", mine[..., columns], theirs[..., columns], tolerance * scale)
