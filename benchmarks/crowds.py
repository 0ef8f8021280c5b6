"""Large galleries of people who were never there: unit vectors that gather around identities."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import models
from app.gallery.database import DATABASE_FILE, Database
from app.gallery.domain import NewShot
from app.gallery.enrolment import EnrolmentRequest, enrol
from app.gallery.gallery import GalleryStore
from app.gallery.gallery_rows import list_galleries
from app.runtime import DEFAULT_GALLERY
from models.checkpoint import Checkpoint
from models.importing import Converted, new_checkpoint, store

Rows = NDArray[np.float32]

SHOTS_EACH = 16
# People differ in so many independent ways; pictures of one person differ half as much, and in everything a little.
TRAITS, WITHIN, NOISE = 64, 0.45, 0.3
PEOPLE_AT_ONCE = 500


@dataclass(frozen=True)
class Crowd:
    """`shots` embeddings of `dim` numbers, sixteen of each identity."""

    shots: int
    dim: int

    def people(self) -> Iterator[Rows]:
        """The shots of some identities after the others, (P, 16, D) unit rows at a time."""
        people = self.shots // SHOTS_EACH
        for start in range(0, people, PEOPLE_AT_ONCE):
            yield self._seen(start, min(PEOPLE_AT_ONCE, people - start), SHOTS_EACH, again=0)

    def queries(self, count: int) -> Rows:
        """New pictures (count, D) of some of them."""
        starts = np.random.default_rng(1).integers(0, max(1, self.shots // SHOTS_EACH // PEOPLE_AT_ONCE), count)
        return np.concatenate(
            [self._seen(int(at) * PEOPLE_AT_ONCE, 1, 1, again=n + 1)[0] for n, at in enumerate(starts)]
        )

    def _seen(self, first: int, people: int, times: int, again: int) -> Rows:
        directions = np.random.default_rng(0).standard_normal((TRAITS, self.dim), dtype=np.float32)
        who = np.random.default_rng([first, 1]).standard_normal((people, 1, TRAITS), dtype=np.float32)
        how = np.random.default_rng([first, 2, again])
        rows = (who + WITHIN * how.standard_normal((people, times, TRAITS), dtype=np.float32)) @ directions
        rows /= np.linalg.norm(rows, axis=2, keepdims=True)
        rows += NOISE / np.sqrt(self.dim) * how.standard_normal(rows.shape, dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=2, keepdims=True), np.float32)


def write_checkpoint(weights_dir: Path, dim: int) -> Checkpoint:
    """A small network, never trained, whose embeddings have so many numbers."""
    torch.manual_seed(0)
    # 8 times the width; 32 times with bottlenecks.
    wide = dim > 1024
    arguments = {
        "input_size": [64, 32],
        "depths": [1, 1, 1, 1],
        "width": dim // (32 if wide else 8),
        "bottleneck": wide,
    }
    network = models.create("resnet18_bnneck", **arguments)
    weights_dir.mkdir()
    converted = Converted("crowd.pth", "", "resnet18_bnneck", arguments, dict(network.state_dict()), ())
    return store(converted, new_checkpoint(converted, "crowd", "none", (64, 32)), weights_dir)


def enrol_crowd(data_dir: Path, crowd: Crowd, checkpoint: str) -> None:
    """Enrol them in the default gallery, five hundred people a transaction, by the code that enrols one."""
    store = GalleryStore.open(data_dir)
    store.create(DEFAULT_GALLERY, checkpoint, crowd.dim)
    store.close()
    database = Database(f"sqlite:///{data_dir}/{DATABASE_FILE}")
    with database.read() as connection:
        (gallery,) = list_galleries(connection)
    number = 0
    for people in crowd.people():
        with database.write() as connection:
            for shots in people:
                request = EnrolmentRequest(f"p-{number}", [NewShot(shot) for shot in shots], shots, None, None)
                enrol(connection, gallery, request, time.time())
                number += 1
    database.close()
