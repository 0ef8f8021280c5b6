"""Values that are followed, never changed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.persistent import OVERLAY_SIZE, GrowingArray, PersistentMap


@given(pieces=st.lists(st.lists(st.integers(0, 99), max_size=150), max_size=12))
def test_a_growing_array_holds_what_was_added_in_order(pieces: list[list[int]]) -> None:
    array, expected = GrowingArray(np.empty(0, np.int64)), []
    for piece in pieces:
        array = array.extended(np.array(piece, np.int64))
        expected += piece
    assert array.rows.tolist() == expected


@given(lengths=st.lists(st.integers(0, 150), min_size=1, max_size=6))
def test_extending_an_array_leaves_every_earlier_one_as_it_was(lengths: list[int]) -> None:
    arrays = [GrowingArray(np.zeros((3, 2)))]
    for value, length in enumerate(lengths, start=1):
        arrays.append(arrays[-1].extended(np.full((length, 2), value)))
    before = [array.rows.copy() for array in arrays]

    for array in arrays:
        array.extended(np.full((5, 2), -1.0))

    assert all(np.array_equal(array.rows, rows) for array, rows in zip(arrays, before, strict=True))


def test_extending_an_array_does_not_write_to_the_rows_it_began_with() -> None:
    rows = np.arange(100)
    GrowingArray(rows[:50]).extended(np.array([-1]))
    assert rows[50] == 50


Updates = st.dictionaries(st.integers(0, 30), st.one_of(st.none(), st.integers()), max_size=10)


@given(updates=st.lists(Updates, max_size=10))
def test_a_persistent_map_behaves_as_a_dict(updates: list[dict[int, int | None]]) -> None:
    mapping, expected = PersistentMap[int, int]({1: 1, 2: 2}), {1: 1, 2: 2}
    for update in updates:
        mapping = mapping.updated(update)
        expected = {key: value for key, value in (expected | update).items() if value is not None}
    assert len(mapping) == len(expected)
    assert {key: mapping.get(key) for key in range(31) if mapping.get(key) is not None} == expected


def test_a_persistent_map_stays_right_when_its_changes_are_folded_in() -> None:
    first = PersistentMap[int, int]({-1: -1})
    mapping = first
    for key in range(OVERLAY_SIZE + 10):
        mapping = mapping.updated({key: key, key - 3: None})
    assert len(mapping) == 3
    assert mapping.get(OVERLAY_SIZE + 9) == OVERLAY_SIZE + 9
    assert mapping.get(5) is None
    assert (len(first), first.get(-1)) == (1, -1)
