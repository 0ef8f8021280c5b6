"""The promises of every index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.changes import NO_KEYS, Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_index import FaissIndex
from app.gallery.index import IndexBuilder, IndexChange, OutOfStep, VectorIndex
from tests.app.gallery.support import DIM, DictIndex, lists_of, random_vectors, sign_vectors

NO_ROWS = np.empty((0, DIM), np.float32)

BUILDERS: dict[str, IndexBuilder] = {
    "exact": FaissIndex.build,
    "dict": DictIndex.build,
    "lists": lists_of("float32"),
    "lists of float16": lists_of("float16"),
    "lists of int8": lists_of("int8"),
}
every_index = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def keys_of(*keys: int) -> Keys:
    return np.array(keys, np.int64)


def a_changed_index(build: IndexBuilder) -> tuple[VectorIndex, dict[int, Embeddings]]:
    """An index that was built, then added to and removed from, with what it should hold."""
    rows = sign_vectors(90, seed=1)
    index = build(5, np.arange(50), rows[:50])
    for version, start in ((6, 50), (7, 60), (8, 70)):
        removed = np.arange(start - 45, start - 35, 3)
        index = index.apply(IndexChange(version, np.arange(start, start + 10), rows[start : start + 10], removed))
    gone = {key for start in (50, 60, 70) for key in range(start - 45, start - 35, 3)}
    return index, {key: rows[key] for key in range(80) if key not in gone}


@every_index
def test_it_holds_what_was_added_and_not_removed(build: IndexBuilder) -> None:
    index, expected = a_changed_index(build)

    everything = index.nearest(sign_vectors(2, seed=2), 1000)

    assert (len(index), index.version) == (len(expected), 8)
    assert sorted(everything.keys.tolist()) == sorted(expected)
    assert np.all(everything.ceiling == -np.inf)


@pytest.mark.parametrize("build", [BUILDERS[name] for name in BUILDERS if name != "lists of int8"])
@pytest.mark.parametrize("query_count", [1, 3, 4, 9])
@pytest.mark.parametrize("count", [1, 7, 40])
def test_nothing_that_it_leaves_out_is_above_the_ceiling(build: IndexBuilder, query_count: int, count: int) -> None:
    index, expected = a_changed_index(build)
    queries = sign_vectors(query_count, seed=3)

    found = index.nearest(queries, count)

    assert len(np.unique(found.keys)) == len(found.keys)
    assert set(found.keys.tolist()) <= set(expected)
    left_out = np.array(sorted(set(expected) - set(found.keys.tolist())), np.int64)
    assert np.all(index.similarities(queries, left_out) <= found.ceiling[:, None])


@every_index
def test_similarities_come_in_the_order_of_the_keys(build: IndexBuilder) -> None:
    index, expected = a_changed_index(build)
    queries = sign_vectors(3, seed=4)
    keys = np.random.default_rng(0).permutation(list(expected))

    assert np.array_equal(index.similarities(queries, keys), queries @ np.array([expected[key] for key in keys]).T)


@every_index
@given(seed=st.integers(0, 1000), others=st.integers(0, 40), dim=st.sampled_from([3, 16, 100, 512]))
def test_a_pair_is_equally_similar_in_any_company(build: IndexBuilder, seed: int, others: int, dim: int) -> None:
    rows, query = random_vectors(others + 2, seed, dim), random_vectors(1, seed + 1, dim)
    rows[-1] = rows[0]
    crowd = np.concatenate([query, random_vectors(others % 7, seed + 2, dim)])
    index = build(0, np.arange(len(rows)), rows)

    together = index.similarities(crowd, np.arange(len(rows)))
    alone = index.similarities(query, keys_of(0))

    assert together[0, 0] == together[0, -1] == alone[0, 0]


@every_index
def test_a_change_leaves_the_index_before_it_as_it_was(build: IndexBuilder) -> None:
    rows = sign_vectors(20, seed=1)
    first = build(0, np.arange(10), rows[:10])
    second = first.apply(IndexChange(1, np.arange(10, 15), rows[10:15], NO_KEYS))

    second.apply(IndexChange(2, np.arange(15, 20), rows[15:], keys_of(3, 12)))

    for index, size in ((first, 10), (second, 15)):
        assert sorted(index.nearest(rows[:1], 99).keys.tolist()) == list(range(size))
        assert np.array_equal(index.similarities(rows, np.arange(size)), rows @ rows[:size].T)


@every_index
@pytest.mark.parametrize(
    "change",
    [
        IndexChange(8, NO_KEYS, NO_ROWS, NO_KEYS),
        IndexChange(10, NO_KEYS, NO_ROWS, NO_KEYS),
        IndexChange(9, keys_of(79), sign_vectors(1, 5), NO_KEYS),
        IndexChange(9, keys_of(3), sign_vectors(1, 5), NO_KEYS),
        IndexChange(9, keys_of(90, 90), sign_vectors(2, 5), NO_KEYS),
        IndexChange(9, keys_of(91, 90), sign_vectors(2, 5), NO_KEYS),
        IndexChange(9, NO_KEYS, NO_ROWS, keys_of(500)),
        IndexChange(9, NO_KEYS, NO_ROWS, keys_of(5)),
        IndexChange(9, NO_KEYS, NO_ROWS, keys_of(4, 4)),
    ],
    ids=[
        "seen already",
        "one was missed",
        "key is there",
        "key was there",
        "key twice",
        "keys out of order",
        "removes an unknown one",
        "removes one that has gone",
        "removes one twice",
    ],
)
def test_a_change_that_does_not_follow_is_refused(build: IndexBuilder, change: IndexChange) -> None:
    index, _ = a_changed_index(build)

    with pytest.raises(OutOfStep):
        index.apply(change)


@every_index
def test_an_empty_index_finds_nothing(build: IndexBuilder) -> None:
    index = build(0, NO_KEYS, NO_ROWS)

    found = index.nearest(sign_vectors(2, seed=0), 5)

    assert (len(found.keys), found.ceiling.tolist()) == (0, [-np.inf, -np.inf])


@every_index
def test_compaction_changes_nothing_that_can_be_asked(build: IndexBuilder) -> None:
    index, expected = a_changed_index(build)
    queries, keys = sign_vectors(4, seed=6), np.array(list(expected))

    compacted = index.compacted()

    assert (compacted.version, len(compacted)) == (index.version, len(index))
    assert np.array_equal(compacted.similarities(queries, keys), index.similarities(queries, keys))
    assert sorted(compacted.nearest(queries, 99).keys.tolist()) == sorted(expected)


def test_compaction_is_wanted_only_once_changes_have_piled_up() -> None:
    rows = sign_vectors(40, seed=0)
    index: VectorIndex = FaissIndex.build(0, np.arange(10), rows[:10], compact_after=5)
    wanted = []
    for version, key in enumerate(range(10, 16), start=1):
        wanted.append(index.wants_compaction)
        index = index.apply(IndexChange(version, keys_of(key), rows[key : key + 1], NO_KEYS))

    assert wanted == [False] * 6
    assert index.wants_compaction
    assert not index.compacted().wants_compaction


def test_removing_wants_compaction_too() -> None:
    index = FaissIndex.build(0, np.arange(10), sign_vectors(10, seed=0), compact_after=2)

    assert index.apply(IndexChange(1, NO_KEYS, NO_ROWS, keys_of(1, 2, 3))).wants_compaction


def test_what_it_becomes_when_compacted_is_for_the_builder_to_say() -> None:
    rows = sign_vectors(12, seed=0)
    index = FaissIndex.build(0, np.arange(10), rows[:10], rebuild=DictIndex.build)

    compacted = index.apply(IndexChange(1, np.arange(10, 12), rows[10:], keys_of(0))).compacted()

    assert isinstance(compacted, DictIndex)
    assert sorted(compacted.rows) == list(range(1, 12))


def test_it_wants_to_be_another_kind_once_it_has_outgrown_its_own() -> None:
    index: VectorIndex = FaissIndex.build(0, np.arange(3), sign_vectors(3, seed=0), outgrown_at=4)
    assert not index.wants_compaction

    assert index.apply(IndexChange(1, keys_of(3), sign_vectors(1, seed=1), NO_KEYS)).wants_compaction
