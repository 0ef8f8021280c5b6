"""Every network by name: a builder each, in a plain dictionary."""

from collections.abc import Callable
from functools import partial

from torch import nn

from models.backbones.rga import RGANet

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "rga_sc_resnet50": partial(RGANet, attention="sc"),
    "rga_s_resnet50": partial(RGANet, attention="s"),
    "rga_c_resnet50": partial(RGANet, attention="c"),
    "rga_sc_resnet18": partial(RGANet, attention="sc", depths=(2, 2, 2, 2), bottleneck=False),
    "resnet18_bnneck": partial(RGANet, attention="", depths=(2, 2, 2, 2), bottleneck=False),
}


def names() -> list[str]:
    """The names that `create` knows, sorted."""
    return sorted(BUILDERS)


def create(name: str, **kwargs: object) -> nn.Module:
    """Build a network with fresh weights, in training mode.

    Args:
        name: one of `names()`.
        kwargs: the builder's keyword arguments, such as `num_classes` or `input_size`.

    Raises:
        ValueError: the name is not known; the message lists those that are.
    """
    if name not in BUILDERS:
        raise ValueError(f"unknown network {name!r}; choose from {', '.join(names())}")
    return BUILDERS[name](**kwargs)
