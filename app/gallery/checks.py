"""What comes in is checked before it meets a gallery."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import GalleryRow
from app.gallery.domain import Embeddings, Metadata
from app.gallery.errors import CheckpointMismatch, DimensionMismatch, InvalidEmbedding, InvalidMetadata

# Half precision networks and rounding to six decimals on the wire stay below this.
LENGTH_TOLERANCE = 2e-3


def check_checkpoint(gallery: GalleryRow, checkpoint: str) -> None:
    """Refuse embeddings of another network.

    Raises:
        CheckpointMismatch: `checkpoint` is not the gallery's.
    """
    if checkpoint != gallery.checkpoint:
        raise CheckpointMismatch(gallery.name, gallery.checkpoint, checkpoint)


def check_metadata(metadata: Metadata | None) -> None:
    """Refuse what JSON in UTF-8 cannot hold: NaN, infinities, lone surrogates, objects of Python's own.

    Raises:
        InvalidMetadata: `metadata` is such.
    """
    try:
        json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMetadata(str(error)) from error


def checked_embeddings(gallery: GalleryRow, rows: Sequence[NDArray[np.floating]] | NDArray[np.floating]) -> Embeddings:
    """The rows, N of (D,), as contiguous float32 (N, D).

    Raises:
        DimensionMismatch: D is not the gallery's.
        InvalidEmbedding: a row is not finite, or not of unit length.
        ValueError: there are no rows, or they are not vectors.
    """
    for row in rows:
        if row.ndim != 1:
            raise ValueError(f"an embedding has shape {row.shape}; it has to be a vector")
        if len(row) != gallery.embedding_dim:
            raise DimensionMismatch(gallery.name, gallery.embedding_dim, len(row))
    if not len(rows):
        raise ValueError("there are no embeddings")
    checked = np.ascontiguousarray(rows, np.float32)
    lengths = np.linalg.norm(checked, axis=1)
    # Written so that NaN fails too.
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_TOLERANCE))
    if wrong.size:
        raise InvalidEmbedding(gallery.name, int(wrong[0]), float(lengths[wrong[0]]))
    return checked
