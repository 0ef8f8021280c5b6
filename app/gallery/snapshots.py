"""What an index has learned, kept for the next start: which shot is in which list, and how lists serve.

Embeddings are read from the records, which are the truth, and the lists' centres are their means: a snapshot has
neither, so that nothing of a person who is erased stays in it. One that is missing, damaged or of something else costs
time, never an answer.
"""

import hashlib
import io
import logging
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.gallery.changes import GalleryRow, Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import Coder
from app.gallery.lists import Homes, Training

FOLDER, SUFFIX = "indexes", ".lists"
FORMAT = 2

log = logging.getLogger("gaitkeeper")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What was learned from a gallery; see `Training` for what has the same name there.

    Attributes:
        version: of the gallery.
        lists: how many there are.
        keys: (K,) ascending.
        homes: (K,) the list of each.
    """

    version: int
    lists: int
    coder: Coder
    lists_searched: int
    recall_at_10: float | None
    trained_at: float
    trained_on: int
    keys: Keys
    homes: Homes

    @classmethod
    def of(cls, version: int, training: Training, keys: Keys, homes: Homes) -> "Snapshot":
        """What is to be kept of a training."""
        return cls(
            version,
            len(training.centres),
            training.coder,
            training.lists_searched,
            training.recall_at_10,
            training.trained_at,
            training.trained_on,
            keys,
            homes,
        )

    def training(self, centres: Embeddings) -> Training:
        """The training again, with the centres (C, D) of what is in the lists now."""
        return Training(centres, self.coder, self.lists_searched, self.recall_at_10, self.trained_at, self.trained_on)


class SnapshotFile:
    """The snapshot of one gallery.

    Args:
        data_dir: where the service keeps everything.
        gallery: whose it is; a gallery of the same number in another database does not take it for its own.
    """

    def __init__(self, data_dir: Path, gallery: GalleryRow) -> None:
        self.path = data_dir / FOLDER / f"{gallery.key}{SUFFIX}"
        self._dim = gallery.embedding_dim
        self._owner = (
            f"{FORMAT} {gallery.key} {float(gallery.created_at)!r} {gallery.checkpoint} {gallery.embedding_dim}"
        )

    def write(self, snapshot: Snapshot) -> None:
        """Replace the snapshot: afterwards the old one or the new one is there, whole; raises OSError."""
        ranges = snapshot.coder.ranges
        packed = io.BytesIO()
        np.savez(
            packed,
            owner=np.array(self._owner),
            version=np.int64(snapshot.version),
            codes=np.array(snapshot.coder.kind),
            ranges=np.empty(0, np.float32) if ranges is None else ranges,
            numbers=np.array([snapshot.lists, snapshot.lists_searched, snapshot.trained_on]),
            measured=np.array([snapshot.recall_at_10, snapshot.trained_at], np.float64),
            keys=snapshot.keys,
            homes=snapshot.homes,
        )
        content = packed.getbuffer()
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = self.path.with_suffix(".new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)

    def read(self, version: int) -> Snapshot | None:
        """The snapshot, if there is one of this gallery at this version or an earlier one, and it is undamaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            log.warning("the index of gallery %s is trained anew: its snapshot cannot be read", self.path.stem)
            return None
        digest, packed = content[:32], memoryview(content)[32:]
        if hashlib.sha256(packed).digest() != digest:
            log.warning("the index of gallery %s is trained anew: its snapshot is damaged", self.path.stem)
            return None
        try:
            return self._unpacked(packed, version)
        except (KeyError, ValueError, zipfile.BadZipFile):
            log.warning("the index of gallery %s is trained anew: its snapshot is of another release", self.path.stem)
            return None

    def erase(self) -> None:
        """Remove it."""
        for path in (self.path, self.path.with_suffix(".new")):
            path.unlink(missing_ok=True)

    def _unpacked(self, packed: memoryview, version: int) -> Snapshot | None:
        with np.load(io.BytesIO(packed), allow_pickle=False) as values:
            # What comes later than the records is of a database that was put back.
            if str(values["owner"]) != self._owner or int(values["version"]) > version:
                return None
            ranges = values["ranges"]
            lists, searched, trained_on = values["numbers"].tolist()
            recall, trained_at = values["measured"].tolist()
            coder = Coder(str(values["codes"]), self._dim, ranges if len(ranges) else None)  # type: ignore[arg-type]
            return Snapshot(
                int(values["version"]),
                lists,
                coder,
                searched,
                None if np.isnan(recall) else recall,
                trained_at,
                trained_on,
                values["keys"],
                values["homes"],
            )


def erase_orphans(data_dir: Path, galleries: Sequence[GalleryRow]) -> None:
    """Remove the snapshots of galleries that are not there any more."""
    known = {SnapshotFile(data_dir, gallery).path for gallery in galleries}
    for path in (data_dir / FOLDER).glob("*"):
        if path not in known:
            path.unlink()
