"""Where embeddings lie. Functions here run within the caller's transaction."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, literal, select, update

from app.gallery.schema import embeddings, free_slots, shots

STORED = np.dtype("<f4")


def checksums(shot_ids: Sequence[bytes], contents: Sequence[bytes]) -> NDArray[np.int64]:
    """(N,) CRC-32 over whose embedding each is and its bytes."""
    # At the start of a service a million shots come by here, so no line of Python runs for each.
    return np.fromiter(map(crc32, contents, map(crc32, shot_ids)), np.int64, len(contents))


def fill_slots(connection: Connection, contents: Sequence[bytes], embedding_dim: int) -> list[int]:
    """Store embeddings, in slots that erased ones left and in new ones; returns the slots in the order given."""
    free = select(free_slots.c.slot).where(free_slots.c.embedding_dim == embedding_dim).limit(len(contents))
    slots = list(connection.scalars(free))
    if slots:
        taken = [{"at": slot, "content": content} for slot, content in zip(slots, contents, strict=False)]
        connection.execute(delete(free_slots).where(free_slots.c.slot == bindparam("at")), taken)
        connection.execute(update(embeddings).where(embeddings.c.slot == bindparam("at")), taken)
    rest = [{"content": content} for content in contents[len(slots) :]]
    if rest:
        new = insert(embeddings).returning(embeddings.c.slot, sort_by_parameter_order=True)
        slots += connection.scalars(new, rest)
    return slots


def blank_slots(connection: Connection, embedding_dim: int, of_shots: ColumnElement[bool]) -> None:
    """Overwrite the embeddings of some shots with zeros, and free their slots once the shots are gone."""
    slots = select(shots.c.slot).where(of_shots)
    zeros = bytes(embedding_dim * STORED.itemsize)
    connection.execute(update(embeddings).where(embeddings.c.slot.in_(slots)).values(content=zeros))
    freed = select(shots.c.slot, literal(embedding_dim)).where(of_shots)
    connection.execute(insert(free_slots).from_select(["slot", "embedding_dim"], freed))
