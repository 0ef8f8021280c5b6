"""Who is next: interactive work before bulk, callers in turns, each caller's own work in order."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from app.engine.terms import Terms


class Entry(Protocol):
    """What waits; compared by identity."""

    terms: Terms


E = TypeVar("E", bound=Entry)
Entries = OrderedDict[E, None]

# Of so many picks one goes to bulk work, if any waits: it is slow under load, never stuck.
BULK_TURN = 8


class FairQueue(Generic[E]):
    """A queue in which nobody starves; adding, removing and picking take constant time."""

    def __init__(self) -> None:
        self._interactive: OrderedDict[str, Entries[E]] = OrderedDict()
        self._bulk: OrderedDict[str, Entries[E]] = OrderedDict()
        self._length = self._picks = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[E]:
        for lane in (self._interactive, self._bulk):
            for entries in lane.values():
                yield from entries

    def put(self, entry: E) -> None:
        """Add an entry behind its caller's others."""
        self._lane(entry.terms).setdefault(entry.terms.caller, OrderedDict())[entry] = None
        self._length += 1

    def pop(self) -> E | None:
        """Take the next entry; None if nothing waits."""
        lane = self._next_lane()
        if not lane:
            return None
        caller, entries = next(iter(lane.items()))
        entry, _ = entries.popitem(last=False)
        if entries:
            lane.move_to_end(caller)
        else:
            del lane[caller]
        self._length -= 1
        return entry

    def discard(self, entry: E) -> bool:
        """Take an entry out of turn; says whether it still waited."""
        lane = self._lane(entry.terms)
        entries = lane.get(entry.terms.caller)
        if entries is None or entry not in entries:
            return False
        del entries[entry]
        if not entries:
            del lane[entry.terms.caller]
        self._length -= 1
        return True

    def ahead_of(self, terms: Terms, count: int) -> int:
        """How many entries would be picked before the last of `count` new ones, those among them."""
        lane = self._lane(terms)
        own = len(lane.get(terms.caller, ())) + count
        others = sum(min(len(entries), own) for caller, entries in lane.items() if caller != terms.caller)
        first = sum(map(len, self._interactive.values())) if terms.bulk else 0
        return own + others + first

    def _lane(self, terms: Terms) -> OrderedDict[str, Entries[E]]:
        return self._bulk if terms.bulk else self._interactive

    def _next_lane(self) -> OrderedDict[str, Entries[E]]:
        if self._interactive and self._bulk:
            self._picks += 1
            return self._bulk if self._picks % BULK_TURN == 0 else self._interactive
        return self._interactive or self._bulk
