"""Where int8 files lie, and whether they belong to their weights."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import Checkpoint, CheckpointError
from models.golden import in_int8, read_golden
from models.runtimes.compiled import RuntimeUnusableError

WEIGHTS = "weights_sha256"
"""The entry of a file's metadata that says which weights it was made from."""
CONTENT = "content_sha256"
"""The entry that says what the network was when it was written."""


def int8_path(checkpoint: Checkpoint, folder: Path) -> Path:
    """Where a checkpoint's int8 file lies."""
    return folder / f"{checkpoint.name}.int8.onnx"


def what_writes_int8(checkpoint: Checkpoint) -> str:
    """What to tell who has no int8 file, or a bad one."""
    return f"`gaitkeeper quantize {checkpoint.name} --data FOLDER` writes it"


def content_of(model: Any) -> str:  # noqa: ANN401
    """SHA-256 of all of an ONNX model but its metadata."""
    bare = type(model)()
    bare.CopyFrom(model)
    bare.ClearField("metadata_props")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def read_int8_golden(checkpoint: Checkpoint, folder: Path) -> NDArray[np.float32]:
    """The golden sample beside a checkpoint's int8 file: see `models.golden.read_golden`.

    Raises:
        CheckpointError: it is not there or damaged; the message names what writes it.
    """
    try:
        return read_golden(in_int8(checkpoint), folder)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {what_writes_int8(checkpoint)} anew") from error


def read_int8(checkpoint: Checkpoint, folder: Path) -> bytes:
    """A checkpoint's int8 file.

    Raises:
        RuntimeUnusableError: it is not there, is damaged or belongs to other weights; the message names what writes it.
    """
    # Loaded by no other start.
    import onnx

    path, remedy = int8_path(checkpoint, folder), what_writes_int8(checkpoint)
    try:
        file = path.read_bytes()
    except FileNotFoundError as error:
        raise RuntimeUnusableError(f"{path} is missing; {remedy}") from error
    except OSError as error:
        raise RuntimeUnusableError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    try:
        model = onnx.load_from_string(file)
        notes = {note.key: note.value for note in model.metadata_props}
        if notes.get(CONTENT) != content_of(model):
            raise ValueError("its content is not what was written")
    except Exception as error:  # of protobuf, whose errors have no common class
        raise RuntimeUnusableError(f"{path} is damaged; {remedy} anew") from error
    if notes.get(WEIGHTS) != checkpoint.sha256:
        raise RuntimeUnusableError(f"{path} was made from other weights than {checkpoint.name} has; {remedy} anew")
    return file
