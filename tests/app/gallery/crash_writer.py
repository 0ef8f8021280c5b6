"""A process that changes a gallery until it is killed.

Started as a module it reads lines `DATA_DIR JOURNAL_DIR NAME`, runs a writer of its own for each, answers with the
writer's process id, and with another line once that is dead. Forking saves every writer the imports.
"""

import os
import random
import sys
import threading
import zlib
from itertools import count
from pathlib import Path

from app.gallery.domain import Embeddings, NewShot
from app.gallery.gallery import GalleryStore
from tests.app.gallery.journal import Entry, Journal
from tests.app.gallery.support import CHECKPOINT, open_store, random_vectors

THREADS = 3


def embedding_of(picture: str) -> Embeddings:
    """The embedding (D,) of a picture, by its name."""
    embedding: Embeddings = random_vectors(1, seed=zlib.crc32(picture.encode()))[0]
    return embedding


def write_until_killed(data_dir: Path, journal_dir: Path, name: str) -> None:
    """Enrol and erase from several threads, telling a journal each."""
    store = open_store(data_dir)
    for thread in range(THREADS):
        arguments = (store, Journal(journal_dir / f"{name}-{thread}"), f"{name}-{thread}")
        threading.Thread(target=_write, args=arguments).start()


def _write(store: GalleryStore, journal: Journal, name: str) -> None:
    chance = random.Random(name)
    shots: dict[str, dict[str, str]] = {}
    for step in count():
        identity_id = f"{name}-{chance.randrange(5)}"
        mine = shots.get(identity_id, {})
        if mine and chance.random() < 0.2:
            journal.intend(Entry("erase identity", identity_id, ()))
            store.delete_identity("people", identity_id)
            del shots[identity_id]
        elif mine and chance.random() < 0.3:
            picture = chance.choice(sorted(mine))
            journal.intend(Entry("erase shot", identity_id, (picture,)))
            store.delete_shot("people", identity_id, mine.pop(picture))
        else:
            pictures = tuple(f"{name}-{step}-{number}" for number in range(chance.randint(1, 3)))
            journal.intend(Entry("enrol", identity_id, pictures))
            new = [NewShot(embedding_of(picture), picture) for picture in pictures]
            enrolled = store.enrol("people", identity_id, new, CHECKPOINT).shots
            shots.setdefault(identity_id, {}).update(
                (picture, shot.shot_id) for picture, shot in zip(pictures, enrolled, strict=True)
            )
        journal.acknowledge()


def main() -> None:
    """Serve as the module says."""
    for line in sys.stdin:
        data_dir, journal_dir, name = line.split()
        process = os.fork()
        if process == 0:
            write_until_killed(Path(data_dir), Path(journal_dir), name)
            return
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
        os.waitpid(process, 0)
        sys.stdout.write("dead\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
