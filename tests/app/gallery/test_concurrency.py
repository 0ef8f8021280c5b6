"""Searching while many enrol and erase: every answer is that of brute force at the version it names."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from app.gallery.changes import Keys
from app.gallery.domain import Aggregate, Embeddings, NewShot, Ranking, Search
from app.gallery.errors import UnknownIdentity, UnknownShot
from app.gallery.faiss_index import FaissIndex
from app.gallery.gallery import GalleryStore
from app.gallery.index import VectorIndex
from app.gallery.ivf_index import IvfIndex
from tests.app.gallery.support import CHECKPOINT, lists_of, open_store, ranking_by_hand, sign_vectors

WRITERS = 3
READERS = 2
CALLS = 40
ROWS = sign_vectors(500, seed=21)
AGGREGATES: tuple[Aggregate, ...] = ("mean", "best")

People = dict[str, dict[str, Embeddings]]


@dataclass(frozen=True)
class Question:
    """A search and the answer it got."""

    queries: Embeddings
    limit: int
    aggregate: Aggregate
    answer: Ranking


@dataclass
class History:
    """What every version changed, as the writers were told, and what the readers saw."""

    changes: dict[int, Callable[[People], object]] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def enrol(store: GalleryStore, history: History, name: str, rows: list[int], prefix: str) -> None:
    shots = [NewShot(ROWS[row], f"{prefix}-{place}") for place, row in enumerate(rows)]
    enrolment = store.enrol("people", name, shots, CHECKPOINT)
    added = {shot.shot_id: ROWS[row] for shot, row in zip(enrolment.shots, rows, strict=True)}
    history.changes[enrolment.gallery_version] = lambda people: people.setdefault(name, {}).update(added)


def erase_identity(store: GalleryStore, history: History, name: str) -> None:
    receipt = store.delete_identity("people", name)
    history.changes[receipt.gallery_version] = lambda people: people.pop(name)


def erase_newest_shot(store: GalleryStore, history: History, name: str) -> None:
    shots = store.shots("people", name)
    if not shots:
        return
    shot_id = shots[-1].shot_id
    receipt = store.delete_shot("people", name, shot_id)
    history.changes[receipt.gallery_version] = lambda people: people[name].pop(shot_id)


def write(store: GalleryStore, history: History, number: int) -> None:
    """Enrol and erase people whom the other writers enrol and erase too."""
    chance = random.Random(number)
    for call in range(CALLS):
        name, dice = f"p{chance.randrange(15)}", chance.random()
        # Another writer may have been quicker.
        with suppress(UnknownIdentity, UnknownShot):
            if dice < 0.65:
                rows = [chance.randrange(len(ROWS)) for _ in range(chance.randint(1, 4))]
                enrol(store, history, name, rows, prefix=f"{number}-{call}")
            elif dice < 0.8:
                erase_identity(store, history, name)
            else:
                erase_newest_shot(store, history, name)


def read(store: GalleryStore, history: History, number: int, writing: Callable[[], bool]) -> None:
    """Search until nobody writes any more."""
    chance = random.Random(number)
    while writing():
        queries = ROWS[[chance.randrange(len(ROWS)) for _ in range(chance.choice([1, 2, 4]))]]
        limit, aggregate = chance.randint(1, 20), chance.choice(AGGREGATES)
        answer = store.search("people", queries, Search(limit, aggregate), CHECKPOINT)
        history.questions.append(Question(queries, limit, aggregate, answer))


def check(history: History) -> None:
    """Assert that every answer is that of brute force at its version."""
    people: People = {}
    questions = sorted(history.questions, key=lambda question: question.answer.gallery_version)
    version = 0
    for question in questions:
        while version < question.answer.gallery_version:
            version += 1
            history.changes[version](people)
        expected = ranking_by_hand(people, question.queries, question.limit, question.aggregate)
        assert question.answer.identities == expected


def test_every_answer_is_true_of_the_version_it_names(tmp_path: Path) -> None:
    compactions = []

    def rebuild(version: int, keys: Keys, embeddings: Embeddings) -> FaissIndex:
        compactions.append(version)
        return FaissIndex.build(version, keys, embeddings, compact_after=20, rebuild=rebuild)

    store = open_store(tmp_path, partial(FaissIndex.build, compact_after=20, rebuild=rebuild))
    history = read_and_write(store)

    check(history)
    assert sorted(history.changes) == list(range(1, store.info("people").version + 1))
    assert len({question.answer.gallery_version for question in history.questions}) > 20
    store.close()
    assert len(compactions) > 3


def test_answers_are_true_while_the_index_changes_its_kind(tmp_path: Path) -> None:
    kinds: list[str] = []

    def rebuild(version: int, keys: Keys, embeddings: Embeddings) -> VectorIndex:
        kinds.append("exact" if len(kinds) % 2 else "lists")
        if kinds[-1] == "lists":
            index = lists_of("float32")(version, keys, embeddings)
            assert isinstance(index, IvfIndex)
            return replace(index, rebuild=rebuild, training=replace(index.training, trained_on=1))
        return exact(version, keys, embeddings)

    exact = partial(FaissIndex.build, compact_after=20, rebuild=rebuild)
    store = open_store(tmp_path, exact)
    history = read_and_write(store)

    check(history)
    store.close()
    assert len(kinds) > 3


def read_and_write(store: GalleryStore) -> History:
    history = History()
    with ThreadPoolExecutor(WRITERS + READERS) as threads:
        writers = [threads.submit(write, store, history, number) for number in range(WRITERS)]
        readers = [
            threads.submit(read, store, history, number, lambda: not all(writer.done() for writer in writers))
            for number in range(READERS)
        ]
        for thread in (*writers, *readers):
            thread.result()
    return history
