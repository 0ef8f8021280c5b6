"""Checking all of a database before it is relied upon. Functions here run within the caller's transaction."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from app.gallery import audit
from app.gallery.audit import Chain
from app.gallery.changes import GalleryRow
from app.gallery.contents import check_contents
from app.gallery.gallery_rows import list_galleries
from app.gallery.schema import embeddings, shots

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Proven:
    """What is in a database.

    Attributes:
        galleries, shots: how many.
        chain: of the audit trail.
    """

    galleries: int
    shots: int
    chain: Chain


def prove(connection: Connection) -> Proven:
    """Check every embedding against its checksum, and every entry of the audit trail against the one before it.

    Raises:
        BrokenChainError: an entry does not fit.
        DamagedShot: an embedding is missing, or does not fit its checksum.
    """
    galleries = list_galleries(connection)
    counts = [_checked_shots(connection, gallery) for gallery in galleries]
    return Proven(len(galleries), sum(counts), audit.verify(connection))


def _checked_shots(connection: Connection, gallery: GalleryRow) -> int:
    stored = shots.outerjoin(embeddings, embeddings.c.slot == shots.c.slot)
    wanted = select(shots.c.shot_id, shots.c.checksum, embeddings.c.content).select_from(stored)
    rows = connection.execute(
        wanted.where(shots.c.gallery_key == gallery.key).execution_options(yield_per=ROWS_AT_ONCE)
    )
    count = 0
    for some in rows.partitions():
        shot_ids, expected, contents = zip(*some, strict=True)
        check_contents(gallery, [shot_id.encode() for shot_id in shot_ids], contents, np.array(expected, np.int64))
        count += len(some)
    return count
