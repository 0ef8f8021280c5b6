from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from app.engine.queue import BULK_TURN, FairQueue
from app.engine.terms import Terms


@dataclass(eq=False)
class Entry:
    number: int
    terms: Terms


entries = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30)


def filled(kinds: list[tuple[str, bool]]) -> tuple[FairQueue[Entry], list[Entry]]:
    queue: FairQueue[Entry] = FairQueue()
    added = [Entry(number, Terms(caller, bulk)) for number, (caller, bulk) in enumerate(kinds)]
    for entry in added:
        queue.put(entry)
    return queue, added


def drain(queue: FairQueue[Entry]) -> list[Entry]:
    picked = []
    while (entry := queue.pop()) is not None:
        picked.append(entry)
    return picked


@given(entries)
def test_everything_comes_out_once_and_each_callers_own_in_order(kinds: list[tuple[str, bool]]) -> None:
    queue, added = filled(kinds)

    picked = drain(queue)

    assert sorted(entry.number for entry in picked) == list(range(len(added)))
    for kind in set(kinds):
        own = [entry.number for entry in picked if (entry.terms.caller, entry.terms.bulk) == kind]
        assert own == sorted(own)


def test_one_callers_many_entries_do_not_hold_up_anothers_one() -> None:
    queue, _ = filled([("a", False)] * 50 + [("b", False)])

    assert [entry.terms.caller for entry in drain(queue)[:3]] == ["a", "b", "a"]


def test_bulk_work_gets_a_small_share_while_interactive_work_waits() -> None:
    queue, _ = filled([("a", False)] * 40 + [("b", True)] * 40)

    bulk = [index for index, entry in enumerate(drain(queue)[:40]) if entry.terms.bulk]

    assert bulk == list(range(BULK_TURN - 1, 40, BULK_TURN))


@given(entries, st.sets(st.integers(0, 29)))
def test_what_is_discarded_does_not_come_out(kinds: list[tuple[str, bool]], gone: set[int]) -> None:
    queue, added = filled(kinds)

    said = [queue.discard(entry) for entry in added if entry.number in gone]

    assert all(said)
    assert len(queue) == len(added) - len(said)
    assert sorted(entry.number for entry in drain(queue)) == sorted({e.number for e in added} - gone)
    assert not any(queue.discard(entry) for entry in added)


@given(entries, st.sampled_from("abc"), st.integers(1, 5))
def test_the_expected_place_of_interactive_work_is_its_place(
    kinds: list[tuple[str, bool]], caller: str, count: int
) -> None:
    interactive = [(name, False) for name, bulk in kinds if not bulk]
    queue, _ = filled(interactive)
    last_comes = queue.ahead_of(Terms(caller), count)
    new = [Entry(100 + number, Terms(caller)) for number in range(count)]
    for entry in new:
        queue.put(entry)

    place = drain(queue).index(new[-1]) + 1

    # Whose turn comes first decides between neighbours, so each other caller may save one pick.
    assert last_comes - 2 <= place <= last_comes
