"""The crash loop notices what it is there to notice."""

import random
from pathlib import Path

import pytest

from app.gallery.slots import STORED
from tests.crash.check import check_residue
from tests.crash.state import (
    State,
    Who,
    agree,
    content_of,
    embedding_of,
    enrolled,
    merged,
    moved,
    renamed,
    without,
    without_shot,
)
from tests.crash.writer import Writer

ANNA, BEA = Who("default", "anna"), Who("default", "bea")
BEFORE: State = {ANNA: {"a": "1", "b": "2"}, BEA: {"b": "3"}}


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (enrolled(ANNA, ["b", "c"], ["9", "4"]), {ANNA: {"a": "1", "b": "2", "c": "4"}, BEA: {"b": "3"}}),
        (without_shot(BEA, "b"), {ANNA: {"a": "1", "b": "2"}, BEA: {}}),
        (without(ANNA), {BEA: {"b": "3"}}),
        (renamed(BEA, ANNA._replace(gallery="others")), {ANNA: BEFORE[ANNA], Who("others", "anna"): {"b": "3"}}),
        (merged(ANNA, BEA), {ANNA: {"a": "1", "b": "2"}}),
        (moved(ANNA, ["a", "b"], BEA), {ANNA: {}, BEA: {"a": "1", "b": "3"}}),
    ],
)
def test_each_step_does_what_its_call_does(step: object, after: State) -> None:
    assert callable(step)
    assert step(BEFORE) == after


@pytest.mark.parametrize(
    "observed",
    [
        {ANNA: {"a": "1", "b": "2"}},
        {ANNA: {"a": "1"}, BEA: {"b": "3"}},
        {ANNA: {"a": "1", "b": "7"}, BEA: {"b": "3"}},
        {**BEFORE, Who("default", "zoe"): {}},
    ],
    ids=["an identity is lost", "a shot is lost", "a shot has another id", "somebody is back"],
)
def test_a_difference_is_noticed(observed: State) -> None:
    assert agree(BEFORE, BEFORE)
    assert not agree(BEFORE, observed)


def test_what_is_under_way_may_be_done_in_part() -> None:
    writer = Writer("w", random.Random(0), BEFORE)
    writer.under_way = [enrolled(ANNA, ["c"], [None]), enrolled(BEA, ["d"], [None])]

    assert [sum(map(len, state.values())) for state in writer.possible()] == [3, 4, 5]
    assert agree(writer.possible()[2], {ANNA: {"a": "1", "b": "2", "c": "8"}, BEA: {"b": "3", "d": "9"}})


def test_an_erased_embedding_on_the_disk_is_noticed(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(48).hex()
    assert content_of(embedding_of(content)) == content
    (tmp_path / "file").write_bytes(b"..." + embedding_of(content).astype(STORED).tobytes())
    writer = Writer("w", random.Random(0), contents={content})

    with pytest.raises(AssertionError, match="1 of 1 erased embeddings"):
        check_residue(tmp_path, [writer])


def test_an_embedding_that_is_enrolled_may_be_on_the_disk(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(48).hex()
    (tmp_path / "file").write_bytes(embedding_of(content).astype(STORED).tobytes())

    check_residue(tmp_path, [Writer("w", random.Random(0), {ANNA: {content: "1"}}, contents={content})])
