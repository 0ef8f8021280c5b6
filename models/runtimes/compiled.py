"""Networks that have left torch, called as they were before."""

from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FloatArray = NDArray[np.float32]
Run = Callable[[FloatArray], Sequence[FloatArray]]
"""Maps a batch (B, C, H, W), C-contiguous float32, to the network's outputs in order."""


class RuntimeUnusableError(Exception):
    """A runtime is not installed, cannot take a network, or computes something else."""


class CompiledNetwork(nn.Module):
    """A network in another runtime; has no parameters, and takes and returns what the torch network does.

    Calls may come from several threads at once, as far as `run` allows.

    Args:
        network: what it was made from; only its return type is read, nothing of it is kept.
        run: computes the outputs.
        runtime: what `run` is, for reports.
    """

    def __init__(self, network: nn.Module, run: Run, runtime: str = "") -> None:
        super().__init__()
        self._run, self.runtime = run, runtime
        outputs = get_type_hints(type(network).forward)["return"]
        self._outputs: type[Any] | None = None if outputs is Tensor else outputs

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        """Map (B, C, H, W) float32 on the CPU to what the network returns, float32 on the CPU."""
        arrays = self._run(np.ascontiguousarray(images.numpy()))
        tensors = [torch.from_numpy(array) for array in arrays]
        return tensors[0] if self._outputs is None else self._outputs(*tensors)


def output_names(network: nn.Module) -> tuple[str, ...]:
    """Names of a network's outputs: the fields of the tuple that it returns, or just "output"."""
    outputs = get_type_hints(type(network).forward)["return"]
    return ("output",) if outputs is Tensor else outputs._fields


def output_tensors(output: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    """A network's outputs in the order of `output_names`."""
    return (output,) if isinstance(output, Tensor) else tuple(output)
