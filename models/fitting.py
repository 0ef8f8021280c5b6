"""Makes a state dictionary exactly what a network needs, or says why it cannot be."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.catalog import create
from models.checkpoint import CheckpointError
from models.families import Arguments, Family, family_of

COUNTER = "num_batches_tracked"
# A profiler of operations leaves these in networks that it measured.
PROFILE = ("total_ops", "total_params")
NAMED = 6  # names in a message


@dataclass(frozen=True)
class Fitted:
    """A state dictionary that fits.

    Attributes:
        state: exactly the network's entries, contiguous, each with memory of its own; float32 or shorter.
        arguments: what the network is built with.
        notes: what was changed, a sentence each.
    """

    state: dict[str, Tensor]
    arguments: Arguments
    notes: tuple[str, ...]


def fit(state: Mapping[str, Tensor], network: str, given: Mapping[str, Any], keep_heads: bool = False) -> Fitted:
    """Match a state dictionary with a network, whose arguments are read off the shapes.

    Training heads are dropped unless they are to be kept, counters that old versions of torch did not have are zero,
    and everything else must be there, of the same shape, and finite.

    Args:
        state: parameters and buffers by their official names.
        network: a name of `models.names()`.
        given: arguments of the network that the shapes do not tell. They win over what is read, but for the size of
            training heads, which is 0 or that of the file.
        keep_heads: keep what only training needs.

    Raises:
        CheckpointError: it does not fit; the message names what is missing, unknown or different.
    """
    notes: list[str] = []
    family = _family(network)
    kept = _without_profile(dict(state), notes)
    kept = _choose_heads(kept, family, keep_heads, notes)
    arguments = _arguments(kept, network, family, given)
    expected = _expected(network, arguments)
    kept = _with_counters(kept, expected, notes)
    _compare(kept, expected, network, arguments)
    kept = _without_doubles(kept, notes)
    fitted = {name: kept[name].detach().clone(memory_format=torch.contiguous_format) for name in expected}
    _require_finite(fitted)
    return Fitted(fitted, arguments, tuple(notes))


def _family(network: str) -> Family:
    try:
        return family_of(network)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def _without_profile(state: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    kept = {name: tensor for name, tensor in state.items() if name.rsplit(".", 1)[-1] not in PROFILE}
    if len(kept) < len(state):
        notes.append(f"left out {len(state) - len(kept)} counts of a profiler")
    return kept


def _choose_heads(state: dict[str, Tensor], family: Family, keep: bool, notes: list[str]) -> dict[str, Tensor]:
    heads = [name for name in state if family.head and name.startswith(family.head)]
    if keep:
        notes.append(f"kept training heads: {_some(heads)}" if heads else "there are no training heads to keep")
        return state
    if heads:
        notes.append(f"dropped training heads, which serving does not need: {_some(heads)}")
    return {name: tensor for name, tensor in state.items() if name not in heads}


def _arguments(state: dict[str, Tensor], network: str, family: Family, given: Mapping[str, Any]) -> Arguments:
    told = {name: value for name, value in given.items() if not (family.head and name == "num_classes")}
    try:
        return family.arguments({name: tuple(tensor.shape) for name, tensor in state.items()}) | told
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(f"this is no {network}: {error} is missing; there are {_some(state)}") from error


def _expected(network: str, arguments: Arguments) -> dict[str, Tensor]:
    try:
        with torch.device("meta"):
            return create(network, **arguments).state_dict()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{network} cannot be built with {arguments}: {error}") from error


def _with_counters(state: dict[str, Tensor], expected: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    missing = [name for name in expected if name.rsplit(".", 1)[-1] == COUNTER and name not in state]
    if missing:
        notes.append(f"set {len(missing)} missing {COUNTER} to zero, as files of torch before 0.4.1 have none")
    return state | {name: torch.zeros((), dtype=torch.int64) for name in missing}


def _compare(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], network: str, arguments: Mapping[str, Any]
) -> None:
    missing = [name for name in expected if name not in state]
    unknown = [name for name in state if name not in expected]
    different = [
        f"{name} is {_describe(state[name])} and not {_describe(tensor)}"
        for name, tensor in expected.items()
        if name in state and _kind(state[name]) != _kind(tensor)
    ]
    problems = [f"{word} {_some(names)}" for word, names in (("lacks", missing), ("has unknown", unknown)) if names]
    if different:
        problems.append(_some(different))
    if problems:
        built = ", ".join(f"{name}={value}" for name, value in arguments.items())
        raise CheckpointError(f"this does not fit {network}({built}): {'; '.join(problems)}")


def _without_doubles(state: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """Networks compute in float32, to which doubles are rounded; what is shorter is kept as it is."""
    kinds = Counter(tensor.dtype for tensor in state.values() if tensor.is_floating_point())
    for dtype, count in kinds.items():
        name = str(dtype).removeprefix("torch.")
        if dtype is torch.float64:
            notes.append(f"rounded {count} entries of {name} to float32")
        elif dtype is not torch.float32:
            notes.append(f"kept {count} entries in {name}; the network computes with them in float32")
    return {name: tensor.float() if tensor.dtype is torch.float64 else tensor for name, tensor in state.items()}


def _kind(tensor: Tensor) -> tuple[torch.Size, bool]:
    return tensor.shape, tensor.is_floating_point()


def _describe(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _require_finite(state: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise CheckpointError(f"there are values that are not finite in {_some(broken)}")


def _some(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
