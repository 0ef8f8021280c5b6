import pytest

from app.engine.admission import Admission, Room
from app.engine.refusals import OverloadedError
from app.engine.terms import Terms

A, B, BULK = Terms("a"), Terms("b"), Terms("c", bulk=True)


def admission(items: int = 8, caller_items: int = 6, size: int = 100) -> tuple[Admission, list[str]]:
    shed: list[str] = []
    return Admission(Room(items, caller_items, size), lambda waiting: waiting * 0.5, shed.append), shed


def test_room_is_bounded_for_all_and_given_back() -> None:
    gate, shed = admission()
    first = gate.enter(A, 10)
    first.hold(A, 5, 10)
    second = gate.enter(B, 10)
    with pytest.raises(OverloadedError) as caught:
        second.hold(B, 4, 10)

    assert (caught.value.reason, caught.value.limit, caught.value.retry_after) == ("count", 8, 3.0)
    assert shed == ["count"]
    first.leave()
    second.hold(B, 4, 10)
    second.leave()
    second.leave()
    assert (gate.items, gate.bytes) == (0, 0)


def test_one_caller_gets_its_share_only() -> None:
    gate, _ = admission()
    gate.enter(A, 1).hold(A, 6, 1)

    with pytest.raises(OverloadedError) as caught:
        gate.enter(A, 1)

    assert caught.value.reason == "client"
    gate.enter(B, 1)


def test_bulk_work_leaves_room_for_interactive_work() -> None:
    gate, _ = admission(caller_items=8)
    gate.enter(A, 1).hold(A, 6, 1)

    with pytest.raises(OverloadedError) as caught:
        gate.enter(BULK, 1)

    assert caught.value.reason == "count"
    gate.enter(B, 1)


def test_bytes_are_bounded() -> None:
    gate, _ = admission()
    gate.enter(A, 60)

    with pytest.raises(OverloadedError) as caught:
        gate.enter(B, 50)

    assert caught.value.reason == "bytes"


def test_a_request_that_is_larger_than_the_room_is_served_alone() -> None:
    gate, _ = admission()
    place = gate.enter(A, 1000)

    place.hold(A, 50, 1000)

    assert gate.items == 50
    with pytest.raises(OverloadedError):
        gate.enter(B, 1)
