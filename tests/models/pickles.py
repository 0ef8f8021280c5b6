"""Files of `torch.save` as other people's code writes them, the published one of RRID and hostile ones included."""

import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.backends.thnn import _get_thnn_function_backend

from models.backbones.resnet import Bottleneck, ResNetTrunk

RELATION_MODULE = "Relation_final_ver_last_multi_scale_large_losses"


class OldBackend:
    """What every layer of torch before 1.3 refers to."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return _get_thnn_function_backend, ()


class Call:
    """Pickles as a call, which an unpickler that is not restricted makes."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def foreign_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> type[nn.Module]:
    """A network class that pickle finds in a module of this name."""
    cls = type(name, (nn.Module,), {"__module__": module})
    home = sys.modules.get(module) or types.ModuleType(module)
    monkeypatch.setitem(sys.modules, module, home)
    monkeypatch.setattr(home, name, cls, raising=False)
    return cls


def disguise(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """Turn RRID's network or one like it, in place, into the DataParallel object that its authors saved."""
    foreign = {
        type(network): foreign_class(monkeypatch, RELATION_MODULE, "RelationModel"),
        ResNetTrunk: foreign_class(monkeypatch, "resnet", "ResNet"),
        Bottleneck: foreign_class(monkeypatch, "resnet", "Bottleneck"),
    }
    for module in list(network.modules()):
        object.__setattr__(module, "__class__", foreign.get(type(module), type(module)))
        vars(module)["_backend"] = OldBackend()
    return nn.DataParallel(network)


def save(contents: object, path: Path, zipped: bool) -> Path:
    """`torch.save` in its zip format, or in the one before torch 1.6, which also holds the source of classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no source of foreign classes
        torch.save(contents, path, _use_new_zipfile_serialization=zipped)
    return path
