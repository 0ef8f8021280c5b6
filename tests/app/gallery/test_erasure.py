"""Erased means gone: from answers, from the index, and from every file of the data directory."""

import random
from pathlib import Path

import numpy as np
import pytest

from app.gallery.domain import Embeddings, NewShot
from app.gallery.gallery import GalleryStore
from tests.app.gallery.support import CHECKPOINT, random_vectors


def bytes_on_disk(data_dir: Path) -> bytes:
    """Everything in the data directory."""
    return b"".join(path.read_bytes() for path in sorted(data_dir.iterdir()))


def traces_of(rows: Embeddings, disk: bytes) -> int:
    """How many rows (N, D) have left any four numbers in a row on the disk."""
    quarters = np.arange(0, rows.shape[1], 4)
    return sum(any(row[at : at + 4].tobytes() in disk for at in quarters) for row in rows)


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


def test_an_erased_identity_leaves_no_picture_hash_and_no_name(tmp_path: Path) -> None:
    store = GalleryStore.open(tmp_path)
    store.create("people", CHECKPOINT, 16)
    shot = NewShot(random_vectors(1, 0)[0], "0123abcd" * 8, "camera-of-ann", 1.0, {"note": "tall-person"})
    store.enrol("people", "ann-1845", [shot], CHECKPOINT, "Ann-Label", "key-of-ann")

    store.delete_identity("people", "ann-1845")

    disk = bytes_on_disk(tmp_path)
    for trace in (b"0123abcd", b"camera-of-ann", b"tall-person", b"ann-1845", b"Ann-Label", b"key-of-ann"):
        assert trace not in disk
    store.close()
