"""Who is let in: bounds on what is inside the service, in all and for one caller."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from app.engine.refusals import OverloadedError, Reason
from app.engine.terms import Terms

# Bulk work may fill so much of the room; the rest is kept for interactive requests.
BULK_SHARE = 0.75


@dataclass(frozen=True)
class Room:
    """How much may be inside at once.

    Attributes:
        items: pictures or tensors.
        caller_items: those of one caller.
        bytes: of request bodies.
    """

    items: int
    caller_items: int
    bytes: int


class Admission:
    """Counts what is inside, and refuses at once what does not fit.

    Args:
        room: the bounds.
        wait: seconds that so many items are expected to take, for `Retry-After`.
        shed: told the reason of each refusal.
    """

    def __init__(self, room: Room, wait: Callable[[int], float], shed: Callable[[str], None]) -> None:
        self.room, self._wait, self._shed = room, wait, shed
        self.items = self.bytes = 0
        self._by_caller: Counter[str] = Counter()

    def enter(self, terms: Terms, size: int) -> "Place":
        """Let a request in, before its body is read.

        Args:
            terms: whose it is.
            size: bytes of its body, or an estimate.

        Raises:
            OverloadedError: it does not fit.
        """
        place = Place(self, terms.caller)
        place.hold(terms, 1, size)
        return place

    def check(self, terms: Terms, items: int, size: int, held: "Place") -> None:
        """Check that a request may hold so much, instead of what it holds.

        A request that is alone always fits: one larger than the room could never be served otherwise.

        Raises:
            OverloadedError: it may not.
        """
        others = self._by_caller[terms.caller] - held.items
        if others and others + items > self.room.caller_items:
            raise self._refusal("client", self.room.caller_items)
        room = int(self.room.items * BULK_SHARE) if terms.bulk else self.room.items
        others = self.items - held.items
        if others and others + items > room:
            raise self._refusal("count", room)
        others = self.bytes - held.size
        if others and others + size > self.room.bytes:
            raise self._refusal("bytes", self.room.bytes)

    def change(self, caller: str, items: int, size: int) -> None:
        """Count what came in, or with negative numbers what left."""
        self.items += items
        self.bytes += size
        self._by_caller[caller] += items
        if not self._by_caller[caller]:
            del self._by_caller[caller]

    def _refusal(self, reason: Reason, limit: int) -> OverloadedError:
        self._shed(reason)
        return OverloadedError(limit, reason, self._wait(self.items))


class Place:
    """What one request holds of the room, until it leaves.

    Attributes:
        items, size: how much that is.
    """

    def __init__(self, admission: Admission, caller: str) -> None:
        self._admission, self._caller = admission, caller
        self.items = self.size = 0

    def hold(self, terms: Terms, items: int, size: int) -> None:
        """Hold so much, instead of what was held.

        Raises:
            OverloadedError: it does not fit; what was held stays held.
        """
        self._admission.check(terms, items, size, self)
        self._set(items, size)

    def leave(self) -> None:
        """Give everything back; a second time nothing happens."""
        self._set(0, 0)

    def _set(self, items: int, size: int) -> None:
        self._admission.change(self._caller, items - self.items, size - self.size)
        self.items, self.size = items, size
