"""Reads files of `torch.save` without running anything that they name.

A pickle is a program: what it names, it can call. State dictionaries go through torch's own loader for weights. Some
authors saved whole network objects instead; for these, each class of a network is an inert stand-in, tensors are put
together by the functions below, and any other name is refused.
"""

import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeAlias, cast

import torch
from torch import Tensor

from models.checkpoint import CheckpointError
from models.file_kinds import kind_of

Name: TypeAlias = tuple[str, str]

# Where the classes of torch's own layers live; every attribute of a layer that is no tensor is ignored.
LAYER_PACKAGES = ("torch.nn.modules.", "torch.nn.parallel.")
INERT_NAMES: frozenset[Name] = frozenset(
    {
        # What RRID's published object consists of, beside torch's layers.
        ("Relation_final_ver_last_multi_scale_large_losses", "RelationModel"),
        ("resnet", "ResNet"),
        ("resnet", "Bottleneck"),
        # Every layer of torch before 1.3 holds one.
        ("torch.nn.backends.thnn", "_get_thnn_function_backend"),
        ("torch", "device"),
        # Training scripts save the best accuracy beside the weights, often as a NumPy scalar.
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("_codecs", "encode"),
    }
)


class StandIn:
    """An object of a class that is not here: keeps its attributes, does nothing."""

    dump_patches = False  # torch looks for it where a file holds the source code of a class

    def __new__(cls, *_: object) -> "StandIn":
        """Take, and forget, whatever the real class took."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Take the attributes of the real object."""
        if isinstance(state, dict):
            self.__dict__.update(state)


class RefusedPickleError(pickle.UnpicklingError):
    """A pickle names what no network needs."""


def load_torch_file(path: Path) -> object:
    """What was given to `torch.save`, in its zip or its older format, with tensors on the CPU.

    Objects of classes are instances of `StandIn`, and the class's name is theirs.

    Raises:
        CheckpointError: the file is no such file, or names something beside tensors, containers and layers.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _load(path)
    except RefusedPickleError as error:
        raise CheckpointError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged or hostile pickle can make its reader raise anything
        if kind := kind_of(path):
            raise CheckpointError(f"{path} is {kind}; weights are files of torch.save or safetensors") from error
        reason = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"{path} is no file of torch.save, or a damaged one ({type(error).__name__}: {reason})"
        ) from error


def state_of(module: StandIn) -> dict[str, Tensor]:
    """The `state_dict` of a pickled network, in torch's order: parameters, buffers, then children.

    Raises:
        CheckpointError: a layer contains itself.
    """
    state: dict[str, Tensor] = {}
    try:
        _collect(module, "", state)
    except RecursionError as error:
        raise CheckpointError("the pickled network has a layer that contains itself") from error
    return state


def _collect(module: StandIn, prefix: str, state: dict[str, Tensor]) -> None:
    hidden = vars(module).get("_non_persistent_buffers_set")
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _members(module, kind):
            if isinstance(tensor, Tensor) and not (isinstance(hidden, set) and name in hidden):
                state[f"{prefix}{name}"] = tensor
    for name, child in _members(module, "_modules"):
        if isinstance(child, StandIn):
            _collect(child, f"{prefix}{name}.", state)


def _members(module: StandIn, kind: str) -> Iterable[tuple[object, object]]:
    members = vars(module).get(kind)
    return members.items() if isinstance(members, dict) else ()


def _load(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # more than tensors and containers; for tar and TorchScript it raises other errors
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_restricted_pickle())


class _Unpickler(pickle.Unpickler):
    """Resolves names to what is harmless; all of it is made anew, since a pickle can set attributes of what it gets."""

    def __init__(self, file: BinaryIO, **_: object) -> None:
        # Python 2 wrote text as bytes, and every byte is a letter in Latin-1.
        super().__init__(file, encoding="latin1")
        self._known = _harmless()

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        """What a name stands for.

        Raises:
            RefusedPickleError: it is not known to be harmless.
        """
        if (module, name) not in self._known:
            if not _is_inert(module, name):
                raise RefusedPickleError(f"it names {module}.{name}, which is no part of a network and could run code")
            self._known[module, name] = type(name, (StandIn,), {})
        return self._known[module, name]


def _restricted_pickle() -> SimpleNamespace:
    """What `torch.load` uses of a pickle module."""
    return SimpleNamespace(__name__="restricted", Unpickler=_Unpickler, load=lambda file, **_: _Unpickler(file).load())


def _is_inert(module: str, name: str) -> bool:
    is_layer = module.startswith(LAYER_PACKAGES) and name.isidentifier()
    return is_layer or (module, name) in INERT_NAMES


def _harmless() -> dict[Name, Callable[..., object]]:
    def tensor(storage: Any, offset: int, size: Sequence[int], stride: Sequence[int], *_: object) -> Tensor:  # noqa: ANN401
        # Unlike torch's own function, as_strided never reaches beyond the storage.
        whole = torch.empty(0, dtype=storage.dtype).set_(storage.untyped())
        return whole.as_strided(tuple(size), tuple(stride), offset)

    def parameter(data: Tensor, *_: object) -> Tensor:
        return data

    return {
        ("collections", "OrderedDict"): cast(Callable[..., object], OrderedDict),
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
        ("torch._utils", "_rebuild_tensor"): tensor,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch._utils", "_rebuild_parameter"): parameter,
        ("torch.nn.parameter", "Parameter"): parameter,
    }
