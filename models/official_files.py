"""Official checkpoint files as plain state dictionaries: what is wrapped is unwrapped, what is prefixed is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.checkpoint import CheckpointError
from models.file_kinds import SAFETENSORS, kind_of
from models.torch_files import StandIn, load_torch_file, state_of

# Under which names training scripts save the parameters beside the optimizer, the epoch and so on.
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")
# torch's DataParallel and training classes that hold the network put these before every name.
PREFIXES = ("module.", "model.")
# torch.compile puts this wherever a layer was compiled, which may be in the middle of a name.
COMPILED = "_orig_mod."


@dataclass(frozen=True)
class OfficialFile:
    """The contents of a file.

    Attributes:
        state: parameters and buffers by name.
        notes: what was done to get there, a sentence each.
    """

    state: dict[str, Tensor]
    notes: tuple[str, ...]


def read_official_file(path: Path) -> OfficialFile:
    """Read a file of `torch.save` or a safetensors file; no code in it is run.

    Raises:
        CheckpointError: the file cannot be read, is refused, or holds no state dictionary.
    """
    notes: list[str] = []
    state = _without_compiled(_unwrap(_load(path), path, notes), notes)
    return OfficialFile(_without_prefixes(state, notes), tuple(notes))


def _load(path: Path) -> object:
    try:
        kind = kind_of(path)
        if kind == SAFETENSORS:
            return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return load_torch_file(path)


def _unwrap(contents: object, path: Path, notes: list[str]) -> dict[str, Tensor]:
    if isinstance(contents, StandIn):
        notes.append(f"took the parameters of the pickled {type(contents).__name__}; none of its code was run")
        return state_of(contents)
    if not isinstance(contents, Mapping):
        raise CheckpointError(f"{path} holds a {type(contents).__name__}, no state dictionary")
    wrapper = next((name for name in WRAPPERS if isinstance(contents.get(name), Mapping | StandIn)), None)
    if wrapper is not None:
        rest = sorted(str(name) for name in contents if name != wrapper)
        notes.append(f"took {wrapper}" + (f" and left out {', '.join(rest)}" if rest else ""))
        return _unwrap(contents[wrapper], path, notes)
    strangers = [str(name) for name, value in contents.items() if not (type(name) is str and _is_plain(value))]
    if strangers or not contents:
        raise CheckpointError(f"{path} holds no state dictionary; it has {', '.join(strangers[:8]) or 'nothing'}")
    return dict(contents)


def _is_plain(value: object) -> bool:
    if not isinstance(value, Tensor):
        return False
    return value.layout is torch.strided and not (value.is_quantized or value.is_meta)


def _without_compiled(state: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    marked = [name for name in state if COMPILED in name]
    if marked:
        notes.append(f"took torch.compile's {COMPILED} out of {len(marked)} names")
    return {name.replace(COMPILED, ""): tensor for name, tensor in state.items()}


def _without_prefixes(state: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    removed = ""
    while prefix := next((p for p in PREFIXES if state and all(name.startswith(p) for name in state)), ""):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        removed += prefix
    if removed:
        notes.append(f"took the prefix {removed} off every name")
    return state
