"""Erased means gone: from answers, from the index, and from every file of the data directory."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app.gallery.domain import Embeddings, NewShot, Retention
from app.gallery.faiss_index import FaissIndex
from app.gallery.gallery import GalleryStore
from app.gallery.idempotency import Once
from tests.app.gallery.support import CHECKPOINT, DIM, Clock, open_store, random_vectors

NAMES = ("ann", "bob", "cy")
ROWS = random_vectors(10, seed=21)


def bytes_on_disk(data_dir: Path) -> bytes:
    """Everything in the data directory."""
    return b"".join(path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file())


def traces_of(rows: Embeddings, disk: bytes) -> int:
    """How many rows (N, D) have left any four numbers in a row on the disk."""
    quarters = np.arange(0, rows.shape[1], 4)
    return sum(any(row[at : at + 4].tobytes() in disk for at in quarters) for row in rows)


def tables_with(data_dir: Path, text: str) -> set[str]:
    """The tables that hold a text anywhere."""
    with closing(sqlite3.connect(data_dir / "gallery.sqlite3")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name for name in names if text in str(connection.execute(f"SELECT * FROM {name}").fetchall())}


@pytest.fixture
def people(tmp_path: Path) -> Iterator[GalleryStore]:
    """A store that compacts after every change, with ann, bob and cy of three shots each, and a gallery `others`."""
    clock = Clock()
    store = open_store(tmp_path, partial(FaissIndex.build, compact_after=1), clock)
    store.create("others", CHECKPOINT, DIM)
    for number, name in enumerate(NAMES):
        clock.now += 10
        shots = [NewShot(row, str(row[0])) for row in ROWS[3 * number : 3 * number + 3]]
        store.enrol("people", name, shots, CHECKPOINT)
    yield store
    store.close()


def shot_ids(store: GalleryStore, name: str) -> list[str]:
    return [shot.shot_id for shot in store.shots("people", name)]


def erase_shot(store: GalleryStore) -> None:
    store.delete_shot("people", "ann", shot_ids(store, "ann")[0])


def erase_identity(store: GalleryStore) -> None:
    store.delete_identity("people", "ann")


def erase_gallery(store: GalleryStore) -> None:
    store.delete("people")


def let_expire(store: GalleryStore) -> None:
    store.update("people", None, None, Retention(10))
    assert store.sweep() == 6


def erase_after_merge(store: GalleryStore) -> None:
    store.merge("people", "bob", "ann")
    store.delete_identity("people", "bob")


def erase_after_move(store: GalleryStore) -> None:
    store.move_shots("people", "ann", shot_ids(store, "ann")[:2], "cy")
    store.delete_identity("people", "cy")


def erase_after_rename(store: GalleryStore) -> None:
    store.rename("people", "ann", "zoe")
    store.delete_identity("people", "zoe")


def erase_after_transfer(store: GalleryStore) -> None:
    store.transfer("people", "ann", "others")
    store.delete("others")


def merge_duplicates(store: GalleryStore) -> None:
    """The same picture with another embedding, as another checkpoint's rounding gives, is kept once."""
    store.enrol("people", "eve", [NewShot(ROWS[9], str(ROWS[0, 0]))], CHECKPOINT)
    assert len(store.merge("people", "ann", "eve").duplicates) == 1


@pytest.mark.parametrize(
    ("erase", "gone"),
    [
        (erase_shot, [0]),
        (erase_identity, [0, 1, 2]),
        (erase_gallery, list(range(9))),
        (let_expire, list(range(6))),
        (erase_after_merge, list(range(6))),
        (erase_after_move, [0, 1, 6, 7, 8]),
        (erase_after_rename, [0, 1, 2]),
        (erase_after_transfer, [0, 1, 2]),
        (merge_duplicates, [9]),
    ],
)
def test_no_file_holds_what_was_erased_in_any_way(
    people: GalleryStore, tmp_path: Path, erase: Callable[[GalleryStore], None], gone: list[int]
) -> None:
    kept = sorted(set(range(9)) - set(gone))
    assert traces_of(ROWS[:9], bytes_on_disk(tmp_path)) == 9

    erase(people)

    for _ in range(2):
        disk = bytes_on_disk(tmp_path)
        assert (traces_of(ROWS[gone], disk), traces_of(ROWS[kept], disk)) == (0, len(kept))
        people.close()


@pytest.mark.parametrize("dim", [16, 512, 2048])
def test_no_file_holds_an_erased_embedding(tmp_path: Path, dim: int) -> None:
    store = GalleryStore.open(tmp_path)
    store.create("people", CHECKPOINT, dim)
    rows = random_vectors(9, seed=dim, dim=dim)
    for name, mine in (("ann", rows[:3]), ("bob", rows[3:6]), ("cy", rows[6:])):
        store.enrol("people", name, [NewShot(row) for row in mine], CHECKPOINT)
    assert traces_of(rows, bytes_on_disk(tmp_path)) == 9

    store.delete_identity("people", "bob")
    assert traces_of(rows[3:6], bytes_on_disk(tmp_path)) == 0
    store.delete_shot("people", "ann", store.shots("people", "ann")[1].shot_id)
    assert traces_of(rows[1:2], bytes_on_disk(tmp_path)) == 0
    assert traces_of(rows[[0, 2, 6, 7, 8]], bytes_on_disk(tmp_path)) == 5
    store.delete("people")
    assert traces_of(rows, bytes_on_disk(tmp_path)) == 0
    store.close()
    assert traces_of(rows, bytes_on_disk(tmp_path)) == 0


def test_no_file_holds_an_erased_embedding_after_much_coming_and_going(tmp_path: Path) -> None:
    chance, store = random.Random(0), GalleryStore.open(tmp_path)
    store.create("people", CHECKPOINT, 16)
    rows = random_vectors(1500, seed=0)
    there: dict[str, Embeddings] = {}
    for step in range(0, len(rows), 50):
        name = f"p{step}"
        there[name] = rows[step : step + chance.randint(1, 50)]
        store.enrol("people", name, [NewShot(row) for row in there[name]], CHECKPOINT)
        if chance.random() < 0.6:
            erased = chance.choice(sorted(there))
            store.delete_identity("people", erased)
            assert traces_of(there.pop(erased), bytes_on_disk(tmp_path)) == 0

    disk = bytes_on_disk(tmp_path)
    kept = np.concatenate(list(there.values()))
    gone = np.array([row for row in rows if not (kept == row).all(axis=1).any()])
    assert (traces_of(kept, disk), traces_of(gone, disk)) == (len(kept), 0)
    store.close()


def test_room_of_erased_shots_is_used_again(tmp_path: Path) -> None:
    store = GalleryStore.open(tmp_path)
    store.create("people", CHECKPOINT, 512)
    sizes = []
    for seed in range(6):
        store.enrol("people", "ann", [NewShot(row) for row in random_vectors(200, seed, dim=512)], CHECKPOINT)
        store.delete_identity("people", "ann")
        sizes.append((tmp_path / "gallery.sqlite3").stat().st_size)
    store.close()

    assert sizes[-1] < 1.2 * sizes[0]


def test_an_erased_identity_leaves_its_id_in_the_audit_trail_and_nothing_else(tmp_path: Path) -> None:
    store = GalleryStore.open(tmp_path)
    store.create("people", CHECKPOINT, 16)
    shot = NewShot(random_vectors(1, 0)[0], "0123abcd" * 8, "camera-of-ann", 1.0, {"note": "tall-person"})
    store.enrol(
        "people",
        "ann-1845",
        [shot],
        CHECKPOINT,
        "Ann-Label",
        Once("key-of-ann", "f" * 64),
        [{"problem": "noted-of-ann"}],
    )

    store.delete_identity("people", "ann-1845")

    disk = bytes_on_disk(tmp_path)
    for trace in (
        b"0123abcd",
        b"camera-of-ann",
        b"tall-person",
        b"Ann-Label",
        b"key-of-ann",
        b"noted-of-ann",
        b"f" * 64,
    ):
        assert trace not in disk
    store.close()
    assert tables_with(tmp_path, "ann-1845") == {"audit_entries"}
