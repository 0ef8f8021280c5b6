"""Torch itself: the truth that other runtimes are compared with, and the way onto a GPU."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Precision = Literal["fp32", "bf16"]


def open_torch(network: nn.Module, device: torch.device, precision: Precision) -> nn.Module:
    """Prepare a network in evaluation mode for inference; on a GPU, as one graph a batch size."""
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision == "bf16":
        network = LowPrecision(network, device)
    return GraphedNetwork(network) if device.type == "cuda" else network


class LowPrecision(nn.Module):
    """A network whose convolutions and products are computed in bfloat16; float32 in and out."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.network, self._device_type = network, device.type

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        """Map (B, C, H, W) to what the network returns."""
        # Weights that are cast once and kept would be lost to a graph that is replayed.
        with torch.autocast(self._device_type, torch.bfloat16, cache_enabled=False):
            return _each(Tensor.float, self.network(images))


class GraphedNetwork(nn.Module):
    """A network on a CUDA device, recorded once for each batch shape and replayed from then on.

    A replay starts one graph instead of hundreds of kernels. Calls must come from one thread at a time.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Any]] = {}

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        """Map (B, C, H, W), on the device, to what the network returns."""
        if images.shape not in self._graphs:
            self._graphs[images.shape] = self._record(images)
        graph, held, output = self._graphs[images.shape]
        held.copy_(images)
        graph.replay()
        return _each(Tensor.clone, output)

    def _record(self, images: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Any]:
        held = images.clone(memory_format=torch.channels_last)
        # Libraries choose kernels and take memory in the first calls, which must not be part of the graph.
        warming = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        warming.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warming):
            for _ in range(3):
                self.network(held)
        torch.cuda.current_stream().wait_stream(warming)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self.network(held)
        return graph, held, output


def _each(change: Callable[[Tensor], Tensor], output: Any) -> Any:  # noqa: ANN401
    return change(output) if isinstance(output, Tensor) else type(output)(*map(change, output))
