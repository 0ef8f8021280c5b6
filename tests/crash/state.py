"""Whose shots are whose, as a writer was told: the plainest model of galleries, and what each call does to it.

A shot is known by its content: 96 hexadecimal digits of an embedding's signs, or the SHA-256 of a picture.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]


class Who(NamedTuple):
    """An identity of a gallery."""

    gallery: str
    identity_id: str

    @property
    def path(self) -> str:
        """Of the identity."""
        return f"/v1/galleries/{self.gallery}/identities/{self.identity_id}"


Shots = Mapping[str, str | None]
"""Shot ids by content; None where nobody was told the id."""
State = Mapping[Who, Shots]
Step = Callable[[State], State]
"""Something that happens as a whole or not at all."""


def embedding_of(content: str) -> Embedding:
    """Unit (D,), every number as far from 0 as any other."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(content), np.uint8))
    return np.asarray((2.0 * bits - 1) / np.sqrt(len(bits)), np.float32)


def content_of(embedding: Embedding) -> str:
    """The content that `embedding_of` made it of."""
    return np.packbits(embedding > 0).tobytes().hex()


def enrolled(who: Who, contents: Sequence[str], shot_ids: Sequence[str | None]) -> Step:
    """What is there already stays as it is."""
    return lambda state: {**state, who: dict(zip(contents, shot_ids, strict=True)) | dict(state.get(who, {}))}


def without_shot(who: Who, content: str) -> Step:
    """The identity stays, even if nothing is left of it."""
    return lambda state: {**state, who: _without(state[who], [content])}


def without(who: Who) -> Step:
    """Erased with all shots."""
    return lambda state: {other: shots for other, shots in state.items() if other != who}


def renamed(who: Who, to: Who) -> Step:
    """Called otherwise, or moved to another gallery."""
    return lambda state: {(to if other == who else other): shots for other, shots in state.items()}


def merged(into: Who, source: Who) -> Step:
    """All shots of the source are given away, and it goes; of equal ones those of `into` stay."""
    return lambda state: without(source)({**state, into: {**state[source], **state[into]}})


def moved(who: Who, contents: Sequence[str], to: Who) -> Step:
    """Some shots are given to another identity, which may be new."""

    def step(state: State) -> State:
        given = {content: state[who][content] for content in contents}
        return {**state, who: _without(state[who], contents), to: {**given, **state.get(to, {})}}

    return step


def agree(expected: State, observed: State) -> bool:
    """Whether they are the same, as far as is known."""
    return expected.keys() == observed.keys() and all(
        shots.keys() == observed[who].keys()
        and all(shot_id in (None, observed[who][content]) for content, shot_id in shots.items())
        for who, shots in expected.items()
    )


def _without(shots: Shots, contents: Sequence[str]) -> Shots:
    return {content: shot_id for content, shot_id in shots.items() if content not in contents}
