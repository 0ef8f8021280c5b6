"""What a network costs, counted without computing anything."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

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
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        getattr(network, method)(torch.empty(1, *shape, device="meta"))
    return float(counter.get_total_flops()) / 2e9
