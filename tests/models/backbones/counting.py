"""What a network costs, counted without computing anything."""

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import models


def build_on_meta(name: str, **arguments: object) -> nn.Module:
    """A network in evaluation mode whose tensors have shapes but no values."""
    with torch.device("meta"):
        return models.create(name, **arguments).eval()


def count_parameters(network: nn.Module) -> int:
    """Trained and frozen parameters; buffers do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_giga_macs(network: nn.Module, shape: tuple[int, ...], method: str = "forward") -> float:
    """Multiply-accumulates of convolutions and matrix products, in 10**9, for one input of the given CHW shape."""
    # Inference mode would hand over convolutions whole, of which the registry knows only the inner operation.
    with _Counter() as counter, torch.no_grad():
        getattr(network, method)(torch.empty(1, *shape, device="meta"))
    return float(counter.flops) / 2e9


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Torch's `FlopCounterMode` without its table of modules, which takes four times as long as the counting."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: float = 0

    def __torch_dispatch__(
        self,
        function: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        result = function(*args, **(kwargs or {}))
        if count := flop_registry.get(function.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result
