"""Turns an official file into a checkpoint of a weights folder: safetensors, hashes, manifest entry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from models.checkpoint import Checkpoint, CheckpointError, Source, load_network, sha256_of
from models.families import Arguments, family_of
from models.fitting import fit
from models.golden import write_golden
from models.manifest import write_entry
from models.official_files import read_official_file

ENDINGS = re.compile(r"(\.(pth|pt|pkl|tar|bin|safetensors))+$")
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Converted:
    """A file whose contents fit a network.

    Attributes:
        file: its name.
        sha256: of it.
        network: a name of `models.names()`.
        arguments: what the network is built with.
        state: exactly its entries.
        notes: what was done to get there, a sentence each.
    """

    file: str
    sha256: str
    network: str
    arguments: Arguments
    state: dict[str, Tensor]
    notes: tuple[str, ...]


def verify_source(path: Path, known: str) -> str:
    """Check a downloaded file against what is known of its SHA-256, and return all of it.

    Args:
        path: the file.
        known: its SHA-256, or the first digits of it; empty if nothing is known.

    Raises:
        CheckpointError: it differs, or the file cannot be read.
    """
    actual = sha256_of(path)
    if not actual.startswith(known.lower()):
        raise CheckpointError(f"{path} has sha256 {actual}, not {known}")
    return actual


def convert(
    path: Path, network: str, given: Mapping[str, Any] | None = None, keep_heads: bool = False, known: str = ""
) -> Converted:
    """Read a file of `torch.save` or safetensors, and fit its contents to a network.

    Args:
        path: the file.
        network: a name of `models.names()`.
        given: arguments of the network that the file's shapes do not tell.
        keep_heads: keep what only training needs.
        known: see `verify_source`.

    Raises:
        CheckpointError: the file is not the one that is known, is refused, or does not fit.
    """
    sha256 = verify_source(path, known)
    official = read_official_file(path)
    fitted = fit(official.state, network, given or {}, keep_heads)
    return Converted(path.name, sha256, network, fitted.arguments, fitted.state, official.notes + fitted.notes)


def new_checkpoint(
    converted: Converted, name: str = "", licence: str = "unknown", size: tuple[int, int] | None = None
) -> Checkpoint:
    """The entry of a file that no manifest describes, with the preprocessing of the network's authors.

    Args:
        converted: the file.
        name: of the checkpoint; the file's name without its ending if empty.
        licence: of the weights.
        size: (height, width) of what the network sees, where it is not the authors' default.

    Raises:
        CheckpointError: a name must begin with a letter or digit, and go on with these, dots, dashes and underscores.
    """
    name = name or ENDINGS.sub("", converted.file)
    if not NAMES.fullmatch(name):
        raise CheckpointError(f"{name!r} cannot be a checkpoint's name; use letters, digits, dots, dashes, underscores")
    family = family_of(converted.network)
    preprocessing = family.preprocessing(converted.arguments)
    return Checkpoint(
        name=name,
        task=family.task,
        network=converted.network,
        preprocessing=replace(preprocessing, size=size) if size else preprocessing,
        file="",
        sha256="",
        origin=f"imported from {converted.file}",
        licence=licence,
        commercial_use=False,
    )


def store(converted: Converted, draft: Checkpoint, weights_dir: Path) -> Checkpoint:
    """Write a converted file as safetensors, prove that it loads, and enter it in the folder's manifest.

    A checkpoint that can be served also gets the golden sample that the service compares itself with.

    Args:
        converted: the file.
        draft: what is known of the checkpoint; file, hashes and arguments are filled in.
        weights_dir: folder to write to; made if it is not there.

    Returns:
        the manifest entry.

    Raises:
        CheckpointError: what was written does not load, or cannot see pictures of the draft's size.
        OSError: the folder cannot be written.
    """
    page = draft.source.page if draft.source else ""
    checkpoint = replace(
        draft,
        arguments=converted.arguments,
        file=f"{draft.name}.safetensors",
        source=Source(converted.file, converted.sha256, page),
    )
    weights_dir.mkdir(parents=True, exist_ok=True)
    unfinished = weights_dir / f"{checkpoint.file}.new"
    try:
        save_file(converted.state, unfinished, {"format": "pt"})
        checkpoint = replace(checkpoint, sha256=sha256_of(unfinished))
        network = load_network(replace(checkpoint, file=unfinished.name), weights_dir)
        if checkpoint.task in ("reid", "pose", "gait"):
            write_golden(checkpoint, network, weights_dir)
        # Written for the owner alone; a service may well run as another user.
        unfinished.chmod(0o644)
        unfinished.replace(weights_dir / checkpoint.file)
    finally:
        unfinished.unlink(missing_ok=True)
    write_entry(weights_dir, checkpoint)
    return checkpoint
