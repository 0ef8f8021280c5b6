"""What a writer meant to do and what it was told is done, to be checked after the writer was killed."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Kind = Literal["enrol", "erase shot", "erase identity"]
DONE = b"done\n"

State = dict[str, frozenset[str]]


@dataclass(frozen=True)
class Entry:
    """One call: pictures (by name) enrolled, one erased, or an identity erased with all of them."""

    kind: Kind
    identity_id: str
    pictures: tuple[str, ...]
    acknowledged: bool = False


class Journal:
    """The calls of one writer, one after the other; what is written survives the writer.

    Args:
        path: of the file; no other writer's.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def intend(self, entry: Entry) -> None:
        """To be called before the call."""
        os.write(self._file, json.dumps([entry.kind, entry.identity_id, entry.pictures]).encode() + b"\n")

    def acknowledge(self) -> None:
        """To be called after the call."""
        os.write(self._file, DONE)


def read_journals(directory: Path) -> list[list[Entry]]:
    """The entries of every journal in a directory."""
    return [_read(path) for path in sorted(directory.iterdir())]


def count_acknowledged(directory: Path) -> int:
    """How many calls all journals of a directory know to be done."""
    return sum(path.read_bytes().count(DONE) for path in directory.iterdir())


def _read(path: Path) -> list[Entry]:
    entries: list[Entry] = []
    for line in path.read_text().splitlines():
        if line == DONE.decode().strip():
            entries[-1] = replace(entries[-1], acknowledged=True)
        else:
            kind, identity_id, pictures = json.loads(line)
            entries.append(Entry(kind, identity_id, tuple(pictures)))
    return entries


def check(observed: Mapping[str, frozenset[str]], journals: Sequence[Sequence[Entry]]) -> int:
    """Assert that everything acknowledged is there, and nothing that was not at least under way, or only half.

    Args:
        observed: the pictures of every identity that is there.
        journals: of writers that shared no identity.

    Returns:
        How many calls took effect.
    """
    calls, explained = 0, set()
    for journal in journals:
        names = {entry.identity_id for entry in journal}
        seen = {name: pictures for name, pictures in observed.items() if name in names}
        acknowledged = [entry for entry in journal if entry.acknowledged]
        assert [*acknowledged, *journal[len(acknowledged) :]] == list(journal), "one call at a time can be under way"
        if seen == _state(acknowledged):
            calls += len(acknowledged)
        else:
            assert seen == _state(journal)
            calls += len(journal)
        explained |= names
    assert set(observed) <= explained
    return calls


def _state(entries: Sequence[Entry]) -> State:
    state: State = {}
    for entry in entries:
        pictures = frozenset(entry.pictures)
        if entry.kind == "enrol":
            state[entry.identity_id] = state.get(entry.identity_id, frozenset()) | pictures
        elif entry.kind == "erase shot":
            state[entry.identity_id] -= pictures
        else:
            del state[entry.identity_id]
    return state
