"""What an index of lists promises beyond what every index does: it finds enough, holds all once, and keeps nothing."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.gallery.changes import NO_KEYS, GalleryRow
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import Coder, Codes
from app.gallery.faiss_index import FaissIndex
from app.gallery.index import IndexChange, VectorIndex
from app.gallery.ivf_index import IvfIndex
from app.gallery.recall import recall, sample_keys, true_neighbours
from app.gallery.sizing import IndexOptions, SizedIndexes
from app.gallery.snapshots import SnapshotFile
from tests.app.gallery.support import random_vectors

DIM = 32
EVERY_CODE: list[Codes] = ["float32", "float16", "int8"]
GALLERY = GalleryRow(1, "people", "c" * 64, DIM, None, {}, 0.0)

every_code = pytest.mark.parametrize("codes", EVERY_CODE)


def crowd(people: int, seed: int = 0, shots: int = 12) -> Embeddings:
    """Unit rows that gather around people, those of one after those of the other."""
    rows = np.repeat(random_vectors(people, seed, DIM), shots, axis=0)
    rows = rows + 0.5 * random_vectors(len(rows), seed + 1, DIM)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def lists(rows: Embeddings, codes: Codes = "float32", snapshots: SnapshotFile | None = None) -> IvfIndex:
    index = SizedIndexes(IndexOptions(100, codes), snapshots).rebuild(1, np.arange(len(rows)), rows)
    assert isinstance(index, IvfIndex)
    return index


def recall_of(index: VectorIndex, rows: dict[int, Embeddings]) -> float:
    keys = np.array(sorted(rows))
    held = np.array([rows[key] for key in keys.tolist()])
    own = sample_keys(keys, seed=1)
    queries = held[np.searchsorted(keys, own)]
    return recall(index, queries, own, true_neighbours(queries, own, keys, lambda here: held[here]))


@every_code
def test_what_is_like_a_query_is_found_in_few_lists(codes: Codes) -> None:
    rows = crowd(200)

    index = lists(rows, codes)

    stats = index.stats()
    assert stats.lists is not None
    assert stats.lists_searched is not None
    assert stats.lists_searched < stats.lists / 2
    assert stats.recall_at_10 is not None
    assert stats.recall_at_10 >= 0.98
    assert recall_of(index, dict(enumerate(rows))) >= 0.95


@every_code
def test_as_much_is_found_after_much_coming_and_going(codes: Codes) -> None:
    rows = crowd(300)
    chance, there = np.random.default_rng(0), set(range(1200))
    index: VectorIndex = lists(rows[:1200], codes)
    for version, start in enumerate(range(1200, 3600, 60), start=2):
        new = np.arange(start, start + 60)
        gone = np.sort(chance.choice(sorted(there), 40, replace=False))
        index = index.apply(IndexChange(version, new, rows[new], gone))
        there = there - set(gone.tolist()) | set(new.tolist())
        if index.wants_compaction:
            index = index.compacted()

    assert len(index) == len(there)
    assert sorted(index.nearest(rows[:1], 10**6).keys.tolist()) == sorted(there)
    assert recall_of(index, {key: rows[key] for key in there}) >= 0.95


@pytest.mark.parametrize("dim", [3, 100, 512])
def test_similarities_come_with_the_candidates_of_one_query_and_are_equal_for_equal_embeddings(dim: int) -> None:
    rows, query = random_vectors(600, seed=dim, dim=dim), random_vectors(1, seed=dim + 1, dim=dim)
    rows[300:] = rows[:300]

    found = lists(rows).nearest(query, 100)

    assert found.similarities is not None
    assert found.similarities == pytest.approx(query @ rows[found.keys].T, abs=1e-6)
    by_key = dict(zip(found.keys.tolist(), found.similarities[0].tolist(), strict=True))
    assert all(by_key[key + 300] == by_key[key] for key in by_key if key + 300 in by_key)
    assert any(key + 300 in by_key for key in by_key)


@pytest.mark.parametrize("codes", ["float16", "int8"])
def test_similarities_to_rounded_codes_are_not_given_for_true_ones(codes: Codes) -> None:
    assert lists(crowd(50), codes).nearest(crowd(1)[:1], 10).similarities is None


@every_code
def test_as_many_come_as_are_asked_for(codes: Codes) -> None:
    rows = crowd(100)
    index = lists(rows, codes)

    for count in (1, 10, 200, 1000, len(rows)):
        assert len(index.nearest(rows[:1], count).keys) >= count


def test_full_precision_gives_back_what_came_and_half_rounds() -> None:
    rows = crowd(50)
    keys = np.random.default_rng(0).permutation(len(rows))

    assert np.array_equal(lists(rows).embeddings(keys), rows[keys])
    for codes in ("float16", "int8"):
        assert np.array_equal(lists(rows, codes).embeddings(keys), rows[keys].astype(np.float16))


def test_memory_holds_every_embedding_once() -> None:
    rows = crowd(500)
    index: VectorIndex = lists(rows[:4000])
    for version, start in enumerate(range(4000, 6000, 50), start=2):
        index = index.apply(IndexChange(version, np.arange(start, start + 50), rows[start : start + 50], NO_KEYS))

    assert index.stats().vector_bytes == rows.nbytes
    assert lists(rows, "float16").stats().vector_bytes == rows.nbytes / 2


def test_an_erased_embedding_is_nowhere_in_memory_at_once() -> None:
    rows = crowd(50)
    index = lists(rows).apply(IndexChange(2, NO_KEYS, rows[:0], np.arange(24)))

    held = b"".join(one.rows.rows.tobytes() for one in index.lists)
    assert [row.tobytes() in held for row in rows[:30]] == [False] * 24 + [True] * 6


@pytest.mark.parametrize(("people", "kind"), [(400, IvfIndex), (40, FaissIndex)], ids=["grown", "shrunk"])
def test_one_that_has_outgrown_its_training_becomes_another(people: int, kind: type[VectorIndex]) -> None:
    rows = crowd(400)
    index: VectorIndex = lists(rows[:1100])
    if kind is IvfIndex:
        index = index.apply(IndexChange(2, np.arange(1100, 4800), rows[1100:], NO_KEYS))
    else:
        index = index.apply(IndexChange(2, NO_KEYS, rows[:0], np.arange(1040)))
    assert index.wants_compaction

    compacted = index.compacted()

    assert isinstance(compacted, kind)
    assert (len(compacted), compacted.version, compacted.wants_compaction) == (len(index), 2, False)


def written(tmp_path: Path, rows: Embeddings, codes: Codes = "float32") -> SnapshotFile:
    snapshots = SnapshotFile(tmp_path, GALLERY)
    lists(rows, codes, snapshots)
    return snapshots


@every_code
def test_a_start_from_a_snapshot_learns_nothing_anew(tmp_path: Path, codes: Codes) -> None:
    rows = crowd(100)
    learned = lists(rows.copy(), codes, SnapshotFile(tmp_path, GALLERY))

    opened = SizedIndexes(IndexOptions(100, codes), SnapshotFile(tmp_path, GALLERY)).build(1, np.arange(1200), rows)

    assert isinstance(opened, IvfIndex)
    assert opened.stats() == learned.stats()
    for query in rows[:20]:
        assert np.array_equal(opened.nearest(query[None], 10).keys, learned.nearest(query[None], 10).keys)


def test_a_snapshot_serves_a_gallery_that_has_changed_since(tmp_path: Path) -> None:
    rows = crowd(120)
    snapshots = written(tmp_path, rows[:1200].copy())
    keys = np.concatenate([np.arange(300, 1000), np.arange(1100, 1440)])

    opened = SizedIndexes(IndexOptions(100), snapshots).build(7, keys, rows[keys])

    assert isinstance(opened, IvfIndex)
    assert (len(opened), opened.version) == (len(keys), 7)
    assert np.array_equal(opened.embeddings(keys), rows[keys])
    assert recall_of(opened, {key: rows[key] for key in keys.tolist()}) >= 0.95


def damage(snapshots: SnapshotFile) -> None:
    content = bytearray(snapshots.path.read_bytes())
    content[len(content) // 2] ^= 1
    snapshots.path.write_bytes(content)


def cut(snapshots: SnapshotFile) -> None:
    snapshots.path.write_bytes(snapshots.path.read_bytes()[:1000])


def empty(snapshots: SnapshotFile) -> None:
    snapshots.path.write_bytes(b"")


@pytest.mark.parametrize("harm", [damage, cut, empty, SnapshotFile.erase])
def test_a_harmed_snapshot_is_not_used(tmp_path: Path, harm: Callable[[SnapshotFile], None]) -> None:
    rows = crowd(100)
    snapshots = written(tmp_path, rows.copy())
    harm(snapshots)

    opened = SizedIndexes(IndexOptions(100), snapshots).build(1, np.arange(1200), rows)

    assert isinstance(opened, FaissIndex)
    assert opened.wants_compaction
    assert isinstance(opened.compacted(), IvfIndex)


def test_a_snapshot_of_later_records_or_another_gallery_is_not_used(tmp_path: Path) -> None:
    snapshots = written(tmp_path, crowd(100))
    other = SnapshotFile(tmp_path, GalleryRow(1, "people", "d" * 64, DIM, None, {}, 0.0))

    assert snapshots.read(1) is not None
    assert snapshots.read(0) is None
    assert other.read(1) is None


@every_code
def test_after_a_start_nothing_is_left_of_who_was_erased_before(tmp_path: Path, codes: Codes) -> None:
    rows = crowd(100)
    snapshots = written(tmp_path, rows.copy(), codes)

    opened = SizedIndexes(IndexOptions(100, codes), snapshots).build(7, np.arange(240, 1200), rows[240:].copy())

    assert isinstance(opened, IvfIndex)
    for one, centre in zip(opened.lists, opened.training.centres, strict=True):
        total = rows[one.keys.rows].sum(axis=0)
        assert np.allclose(centre * np.linalg.norm(total), total, atol=1e-4)


@every_code
def test_a_snapshot_holds_no_embedding_and_no_mean_of_any(tmp_path: Path, codes: Codes) -> None:
    rows = crowd(100)
    path = written(tmp_path, rows.copy(), codes).path

    with np.load(io.BytesIO(path.read_bytes()[32:])) as values:
        numbers = {name: values[name] for name in values if values[name].dtype.kind == "f"}
    assert set(numbers) == {"measured", "ranges"}
    # Of int8: the smallest number and the width of each dimension, over everybody.
    assert numbers["ranges"].size == (2 * DIM if codes == "int8" else 0)
    disk = path.read_bytes()
    assert not any(row[at : at + 4].tobytes() in disk for row in rows for at in range(0, DIM, 4))


def test_codes_come_back_as_they_were_for_a_coder_with_the_same_ranges() -> None:
    rows = crowd(20)
    first = Coder.fitted("int8", rows)

    assert np.array_equal(Coder("int8", DIM, first.ranges).encode(rows), first.encode(rows))
