"""Where int8 files lie, and whether they belong to their weights."""

import hashlib
from pathlib import Path
from typing import Any

from models.checkpoint import Checkpoint
from models.runtimes.compiled import RuntimeUnusableError

WEIGHTS = "weights_sha256"
"""The entry of a file's metadata that says which weights it was made from."""
CONTENT = "graph_sha256"
"""The entry that says what the network was when it was written."""


def int8_path(checkpoint: Checkpoint, folder: Path) -> Path:
    """Where a checkpoint's int8 file lies."""
    return folder / f"{checkpoint.name}.int8.onnx"


def content_of(model: Any) -> str:  # noqa: ANN401
    """SHA-256 of all that an ONNX model computes with."""
    return hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()


def read_int8(checkpoint: Checkpoint, folder: Path) -> bytes:
    """A checkpoint's int8 file.

    Raises:
        RuntimeUnusableError: it is not there, is damaged or belongs to other weights; the message names what writes it.
    """
    # Loaded by no other start.
    import onnx

    path, remedy = int8_path(checkpoint, folder), f"`gaitkeeper quantize {checkpoint.name} --data FOLDER` writes it"
    try:
        file = path.read_bytes()
        model = onnx.load_from_string(file)
    except FileNotFoundError as error:
        raise RuntimeUnusableError(f"{path} is missing; {remedy}") from error
    except Exception as error:  # of reading and of protobuf, which have no common class
        raise RuntimeUnusableError(f"{path} cannot be read: {error}; {remedy}") from error
    notes = {note.key: note.value for note in model.metadata_props}
    if notes.get(CONTENT) != content_of(model):
        raise RuntimeUnusableError(f"{path} is damaged; {remedy} anew")
    if notes.get(WEIGHTS) != checkpoint.sha256:
        raise RuntimeUnusableError(f"{path} was made from other weights than {checkpoint.name} has; {remedy} anew")
    return file
