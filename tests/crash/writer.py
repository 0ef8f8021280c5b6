"""A client that changes galleries by every call there is, and remembers what it was told."""

import base64
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.samples import sample_crops
from tests.crash.state import (
    State,
    Step,
    Who,
    content_of,
    embedding_of,
    enrolled,
    merged,
    moved,
    renamed,
    without,
    without_shot,
)

GALLERIES = ("default", "others")
NAMES = 5
DIM = 384
PICTURES = {hashlib.sha256(crop.jpeg).hexdigest(): crop.jpeg for crop in sample_crops(identities=8, cameras=3)}
Answer = Any
"""JSON of an answer; None if there was none."""


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        send: sends it.
        steps: what it does, one after the other, given its answer or None.
        repeatable: sent again it does what is left to do, and nothing twice.
    """

    send: Callable[[httpx.Client], httpx.Response]
    steps: Callable[[Answer], Sequence[Step]]
    repeatable: bool = False


@dataclass
class Writer:
    """One client, with identities of its own.

    Attributes:
        name: of its identities' ids, the beginning.
        chance: decides what it does.
        state: what is there, as far as it was told.
        under_way: what the call does that has not been answered.
        cut_off: that call, if it can be sent again.
        acknowledged: how many calls were answered.
        contents: of all embeddings that it ever sent.
    """

    name: str
    chance: random.Random
    state: State = field(default_factory=dict)
    under_way: Sequence[Step] = ()
    cut_off: Call | None = None
    acknowledged: int = 0
    contents: set[str] = field(default_factory=set)

    def write(self, client: httpx.Client) -> None:
        """Change galleries, one call after the other, until the server is gone; first what was cut off before."""
        try:
            while True:
                call = self.cut_off or self._choose()
                self.under_way, self.cut_off = call.steps(None), call if call.repeatable else None
                answer = call.send(client)
                assert answer.is_success, answer.text
                for step in call.steps(answer.json()):
                    self.state = step(self.state)
                self.under_way, self.cut_off = (), None
                self.acknowledged += 1
        except httpx.TransportError:
            return

    def possible(self) -> list[State]:
        """What may be there, now that nobody answers any more: the call under way can have been done in part."""
        states = [self.state]
        for step in self.under_way:
            states.append(step(states[-1]))
        return states

    def _choose(self) -> Call:
        kinds = (self._enrol, self._enrol_many, self._rename, self._merge, self._move, self._transfer, self._erase)
        weights = (8, 3, 2, 2, 4, 2, 4)
        while True:
            (kind,) = self.chance.choices(kinds, weights)
            if (call := kind()) is not None:
                return call

    def _whoever(self) -> Who:
        return Who(self.chance.choice(GALLERIES), f"{self.name}-{self.chance.randrange(NAMES)}")

    def _somebody(self) -> Who | None:
        return self.chance.choice(sorted(self.state)) if self.state else None

    def _embedding(self) -> str:
        content = self.chance.randbytes(DIM // 8).hex()
        assert content_of(embedding_of(content)) == content
        self.contents.add(content)
        return content

    def _content(self) -> str:
        return self.chance.choice(list(PICTURES)) if self.chance.random() < 0.2 else self._embedding()

    def _enrol(self) -> Call:
        who = self._whoever()
        content = self._content()
        if content in PICTURES:
            sent: dict[str, Any] = {"files": {"image": PICTURES[content]}}
            contents = [content]
        else:
            contents = [content, *(self._embedding() for _ in range(self.chance.randrange(3)))]
            sent = {"json": {"embedding": [embedding_of(one).tolist() for one in contents]}}
        headers = {"Idempotency-Key": self.chance.randbytes(8).hex()} if self.chance.random() < 0.5 else {}

        def steps(answer: Answer) -> Sequence[Step]:
            ids = [shot["shot_id"] for shot in answer["shots"]] if answer else [None] * len(contents)
            return [enrolled(who, contents, ids)]

        return Call(lambda client: client.post(f"{who.path}/shots", headers=headers, **sent), steps, repeatable=True)

    def _enrol_many(self) -> Call:
        gallery = self.chance.choice(GALLERIES)
        items = [(self._whoever()._replace(gallery=gallery), self._content()) for _ in range(self.chance.randint(2, 8))]
        body = "\n".join(json.dumps({"identity_id": who.identity_id, **_sent(content)}) for who, content in items)

        def steps(answer: Answer) -> Sequence[Step]:
            ids = [shot["shot_id"] for shot in answer["shots"]] if answer else [None] * len(items)
            together: dict[Who, list[tuple[str, str | None]]] = {}
            for (who, content), shot_id in zip(items, ids, strict=True):
                together.setdefault(who, []).append((content, shot_id))
            return [enrolled(who, *zip(*pairs, strict=True)) for who, pairs in together.items()]

        headers = {"Content-Type": "application/x-ndjson"}
        path = f"/v1/galleries/{gallery}/shots:batch"
        return Call(lambda client: client.post(path, content=body, headers=headers), steps, repeatable=True)

    def _rename(self) -> Call | None:
        who, to = self._somebody(), self._whoever()
        if who is None or (to := to._replace(gallery=who.gallery)) in self.state:
            return None
        return _post(f"{who.path}:rename", {"identity_id": to.identity_id}, renamed(who, to))

    def _merge(self) -> Call | None:
        source, into = self._somebody(), self._somebody()
        if source is None or into is None or source == into or source.gallery != into.gallery:
            return None
        return _post(f"{into.path}:merge", {"source": source.identity_id}, merged(into, source))

    def _move(self) -> Call | None:
        who, to = self._somebody(), self._whoever()
        if who is None or not self.state[who] or (to := to._replace(gallery=who.gallery)) == who:
            return None
        shots = self.state[who]
        contents = self.chance.sample(sorted(shots), self.chance.randint(1, len(shots)))
        path = f"{who.path}/shots:move" if to in self.state else f"{who.path}:split"
        body = {"identity_id": to.identity_id, "shot_ids": [shots[content] for content in contents]}
        return _post(path, body, moved(who, contents, to))

    def _transfer(self) -> Call | None:
        who = self._somebody()
        if who is None:
            return None
        (gallery,) = set(GALLERIES) - {who.gallery}
        if (to := who._replace(gallery=gallery)) in self.state:
            return None
        return _post(f"{who.path}:move", {"gallery": gallery}, renamed(who, to))

    def _erase(self) -> Call | None:
        who = self._somebody()
        if who is None:
            return None
        if self.state[who] and self.chance.random() < 0.5:
            content = self.chance.choice(sorted(self.state[who]))
            path = f"{who.path}/shots/{self.state[who][content]}"
            return Call(lambda client: client.delete(path), lambda _: [without_shot(who, content)])
        return Call(lambda client: client.delete(who.path), lambda _: [without(who)])


def _post(path: str, body: dict[str, Any], step: Step) -> Call:
    return Call(lambda client: client.post(path, json=body), lambda _: [step])


def _sent(content: str) -> dict[str, Any]:
    if content in PICTURES:
        return {"image": base64.b64encode(PICTURES[content]).decode()}
    return {"embedding": embedding_of(content).tolist()}
