"""Networks as ONNX files and as programs of torch.export; the batch size stays free."""

import io
import warnings
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from models.runtimes.compiled import RuntimeUnusableError, output_names, output_tensors

Shape = tuple[int, int, int]
"""(C, H, W) of one input."""

INPUT = "images"
# The newest that TensorRT 8, OpenVINO 2022 and ONNX Runtime 1.13 still read.
OPSET = 17


def export_onnx(network: nn.Module, shape: Shape) -> bytes:
    """Write a network in evaluation mode, on the CPU, as ONNX: input "images" (B, *shape) float32, B free.

    Torch's older exporter is used on purpose: the newer one takes many times as long, and the first start of
    a service waits for it. It also folds batch normalisation into convolutions.

    Raises:
        RuntimeUnusableError: the onnx package is missing, or the network has an operation that ONNX does not.
    """
    names = output_names(network)
    free = {name: {0: "batch"} for name in (INPUT, *names)}
    file = io.BytesIO()
    try:
        # It warns that it is the older one, and that checks of sizes are not part of the file.
        with warnings.catch_warnings(action="ignore"), torch.inference_mode(False), torch.no_grad(), _Traceable():
            torch.onnx.export(
                network,
                (_example(shape),),
                file,  # type: ignore[arg-type]
                dynamo=False,
                input_names=[INPUT],
                output_names=list(names),
                dynamic_axes=free,
                opset_version=OPSET,
            )
    except (RuntimeError, ImportError) as error:
        # Its first line says what is wrong; the others print the network.
        reason = str(error).split("\n", 1)[0]
        raise RuntimeUnusableError(f"{type(network).__name__} cannot be written as ONNX: {reason}") from error
    return file.getvalue()


def export_program(network: nn.Module, shape: Shape) -> torch.export.ExportedProgram:
    """A network in evaluation mode, on the CPU, as a program of torch.export; of (B, *shape) float32, B free.

    The program returns a tuple in the order of `output_names`, which needs no class of ours to be read.

    Raises:
        RuntimeUnusableError: torch cannot see through the network.
    """
    try:
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            return torch.export.export(
                _Plain(network).eval(), (_example(shape),), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnusableError(f"{type(network).__name__} cannot be exported: {error}") from error


def _example(shape: Shape) -> torch.Tensor:
    # Tracing would take a batch of one for a fixed size.
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))


class _Plain(nn.Module):
    # A program whose outputs are a named tuple cannot be saved.
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return output_tensors(self.network(images))


class _Traceable(TorchFunctionMode):
    """What a network does, in words that the exporter knows."""

    def __torch_function__(
        self,
        function: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        if function == torch.Tensor.mT.__get__:  # type: ignore[attr-defined]
            return args[0].transpose(-2, -1)
        if function == torch.Tensor.shape.__get__:  # type: ignore[attr-defined]
            # All but the batch size is fixed; a kernel of the size of its map could not be written otherwise.
            shape = args[0].shape
            return (*shape[:1], *map(int, shape[1:]))
        return function(*args, **(kwargs or {}))
