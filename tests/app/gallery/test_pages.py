"""Memory that is given back, and only that."""

import sys
from pathlib import Path

import numpy as np
import pytest

from app.gallery.pages import empty_pieces, empty_rows, give_back, use_large_pages

MEGABYTE = 2**20

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process how much memory it has so")


def resident_bytes() -> int:
    """Anonymous memory of this process; a part of it may be cached by thread, so small amounts are not exact."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("Anonymous:")]
    return int(kilobytes) * 1024


def test_memory_that_is_given_back_leaves_the_rest_as_it_was() -> None:
    rows = empty_rows(5000, 64)
    rows[:] = 1

    give_back(rows, 4000)

    assert not rows[:3900].any()
    assert rows[4000:].all()
    assert not rows[:0].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_pieces_do_not_overlap(dtype: type[np.generic]) -> None:
    counts = [3, 0, 1000, 1, 700, 0]
    pieces = empty_pieces(counts, 24, dtype)
    for number, piece in enumerate(pieces):
        piece[:] = number + 1

    use_large_pages(pieces[2])

    assert [piece.shape for piece in pieces] == [(count, 24) for count in counts]
    assert all((piece == number + 1).all() for number, piece in enumerate(pieces))


def test_a_piece_that_nobody_holds_takes_nothing_from_its_neighbours() -> None:
    before, middle, behind = empty_pieces([1001, 1003, 1007], 24, np.float32)
    for piece in (before, middle, behind):
        piece[:] = 7
    view = middle[-5:]

    del piece, middle
    assert (view == 7).all()

    del view
    assert (before == 7).all()
    assert (behind == 7).all()


@on_linux
def test_the_memory_of_a_piece_goes_when_nobody_holds_it() -> None:
    pieces = empty_pieces([4 * MEGABYTE] * 8, 4, np.uint8)
    for piece in pieces:
        piece[:] = 1
    use_large_pages(pieces[0])
    full = resident_bytes()

    view = pieces[1][1:]
    del piece, pieces[:4]

    given_back = full - resident_bytes()
    # Three of the four pieces of 16 MB; a view keeps the fourth.
    assert 45 * MEGABYTE < given_back < 60 * MEGABYTE
    assert view.all()
    assert all(piece.all() for piece in pieces)


@on_linux
def test_filling_pieces_in_turns_takes_no_more_memory_than_was_filled() -> None:
    pieces = empty_pieces([4 * MEGABYTE] * 8, 4, np.uint8)
    empty = resident_bytes()

    for piece in pieces:
        piece[:: MEGABYTE // 4] = 1  # a row in each megabyte

    assert resident_bytes() - empty < 16 * MEGABYTE


def test_nothing_lies_in_pages_of_its_own_where_there_are_no_rows() -> None:
    pieces = empty_pieces([0, 0], 8, np.float32)
    use_large_pages(pieces[0])

    assert [piece.shape for piece in pieces] == [(0, 8), (0, 8)]
