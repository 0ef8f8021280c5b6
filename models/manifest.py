"""Writes entries of a manifest, and finds checkpoints that a folder could have."""

import tomllib
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import tomli_w

from models.checkpoint import (
    MANIFEST,
    Checkpoint,
    CheckpointError,
    Preprocessing,
    Source,
    bundled_weights_dir,
    read_manifest,
)


def known_checkpoints(weights_dir: Path) -> dict[str, Checkpoint]:
    """The checkpoints of a folder's manifest, and the official ones that it could get, by name.

    Raises:
        CheckpointError: a manifest cannot be read.
    """
    bundled = read_manifest(bundled_weights_dir())
    official = {name: checkpoint for name, checkpoint in bundled.items() if checkpoint.is_official}
    here = read_manifest(weights_dir) if (weights_dir / MANIFEST).exists() else {}
    return official | here


def find_checkpoint(name: str, weights_dir: Path) -> Checkpoint:
    """One of the known checkpoints.

    Raises:
        CheckpointError: there is none of this name; the message lists those that are.
    """
    known = known_checkpoints(weights_dir)
    if name not in known:
        raise CheckpointError(f"there is no checkpoint {name!r}; choose from {', '.join(sorted(known))}")
    return known[name]


def official_checkpoint(network: str, name: str, sha256: str, weights_dir: Path) -> Checkpoint | None:
    """The official checkpoint that a file is claimed to be or, without a name, whose hash it has; None if none is.

    Args:
        network: a name of `models.names()`.
        name: of the checkpoint; may be empty.
        sha256: of the file.
        weights_dir: see `known_checkpoints`.

    Raises:
        CheckpointError: it is a checkpoint of another network, or its file has another hash.
    """
    for checkpoint in known_checkpoints(weights_dir).values():
        if checkpoint.source is None or not checkpoint.is_official:
            continue
        known = checkpoint.source.sha256
        same = bool(known) and sha256.startswith(known)
        if checkpoint.name == name or (same and not name):
            if checkpoint.network != network:
                raise CheckpointError(f"{checkpoint.name} is a checkpoint of {checkpoint.network}, not of {network}")
            if known and not same:
                raise CheckpointError(f"the file of {checkpoint.name} has sha256 {known}, this one has {sha256}")
            return checkpoint
    return None


def write_entry(weights_dir: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to a folder's manifest, or replace the one of the same name; the others stay as they are.

    Raises:
        CheckpointError: the manifest that is there cannot be read.
    """
    path = weights_dir / MANIFEST
    try:
        entries = tomllib.loads(path.read_text())["checkpoints"] if path.exists() else []
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    entry = _entry(checkpoint)
    places = [i for i, other in enumerate(entries) if other["name"] == checkpoint.name]
    if places:
        entries[places[0]] = entry
    else:
        entries.append(entry)
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(tomli_w.dumps({"checkpoints": entries}))
    unfinished.replace(path)


def _entry(checkpoint: Checkpoint) -> dict[str, Any]:
    """What differs from the defaults; an empty hash is written all the same, as it says that none is known."""
    values = asdict(checkpoint)
    if checkpoint.source:
        values["source"] = _given(checkpoint.source, "sha256")
    values["preprocessing"] = _given(checkpoint.preprocessing)
    kept = {name: values[name] for name in _given(checkpoint)}
    # TOML wants tables after plain values.
    return dict(sorted(kept.items(), key=lambda item: isinstance(item[1], dict)))


def _given(record: Checkpoint | Preprocessing | Source, *always: str) -> dict[str, Any]:
    """The fields of a record that are not what they are by default."""
    given = {}
    for field in fields(record):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        value = getattr(record, field.name)
        if field.name in always or value != default:
            given[field.name] = value
    return given
