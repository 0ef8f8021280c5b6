"""A gallery that grows changes its index without a restart, and a killed or stopped service loses nothing by it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.gallery.domain import Embeddings, NewShot, Search, ShotFilter
from app.gallery.gallery import GalleryStore
from app.gallery.sizing import IndexOptions
from tests.app.gallery.support import CHECKPOINT, DIM, open_store, random_vectors

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = IndexOptions(exact_below=200, compact_after=20)
PEOPLE = 60
SHOTS = 10


def crowd() -> Embeddings:
    """The shots (60, 10, D) of some people."""
    rows = random_vectors(PEOPLE, 3)[:, None] + 0.4 * random_vectors(PEOPLE * SHOTS, 4).reshape(PEOPLE, SHOTS, DIM)
    return np.asarray(rows / np.linalg.norm(rows, axis=2, keepdims=True), np.float32)


ROWS = crowd()


def opened(tmp_path: Path) -> GalleryStore:
    return open_store(tmp_path, index_options=OPTIONS)


def enrol(store: GalleryStore, people: range) -> None:
    for person in people:
        shots = [NewShot(row, camera=f"c{at % 2}") for at, row in enumerate(ROWS[person])]
        store.enrol("people", f"p{person}", shots, CHECKPOINT)


def settled(store: GalleryStore) -> GalleryStore:
    """The store, once nothing is made in the background any more."""
    for _ in range(6000):
        if not store.stats("people").is_building:
            return store
        time.sleep(0.01)
    raise AssertionError("the index was never finished")


def kind_of(store: GalleryStore) -> str:
    return settled(store).stats("people").index.kind


def found(store: GalleryStore, person: int) -> str:
    ranking = store.search("people", ROWS[person, :1], Search(1), CHECKPOINT)
    return ranking.identities[0].identity_id


def test_the_kind_follows_the_size_up_and_down_without_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(15))
    assert kind_of(store) == "exact"

    enrol(store, range(15, PEOPLE))
    assert kind_of(store) == "ivf"
    assert [found(store, person) for person in range(PEOPLE)] == [f"p{person}" for person in range(PEOPLE)]

    few = range(8)  # under half of the bound, at which lists are given up whenever they were made
    for person in range(few.stop, PEOPLE):
        store.delete_identity("people", f"p{person}")
    assert kind_of(store) == "exact"
    assert not list(tmp_path.glob("indexes/*"))
    assert [found(store, person) for person in few] == [f"p{person}" for person in few]
    store.close()


def test_a_restart_goes_on_with_what_was_learned(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(PEOPLE))
    before = settled(store).stats("people")
    store.close()

    store = opened(tmp_path)
    after = store.stats("people")
    assert (after.index.kind, after.index.trained_at, after.index.lists) == (
        "ivf",
        before.index.trained_at,
        before.index.lists,
    )
    assert after.gallery == before.gallery
    assert [found(store, person) for person in range(PEOPLE)] == [f"p{person}" for person in range(PEOPLE)]
    store.close()


def test_a_filtered_search_of_lists_returns_as_many_as_there_are(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(PEOPLE))
    settled(store)

    search = Search(PEOPLE, filter=ShotFilter(cameras=frozenset({"c1"})))
    ranking = store.search("people", ROWS[0, :1], search, CHECKPOINT)

    assert (len(ranking.identities), {one.shots for one in ranking.identities}) == (PEOPLE, {SHOTS // 2})
    store.close()


def test_no_file_holds_an_erased_embedding_while_lists_come_and_go(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(PEOPLE))
    settled(store)
    store.delete_identity("people", "p7")
    store.delete_identity("people", "p8")

    for _ in range(2):
        settled(store)
        disk = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
        traces = [any(row[at : at + 4].tobytes() in disk for at in range(0, DIM, 4)) for row in ROWS[6:10, 0]]
        assert traces == [True, False, False, True]
        store.close()
        store = opened(tmp_path)
    store.close()


def test_what_was_learned_of_a_gallery_is_erased_with_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(PEOPLE))
    settled(store)
    assert list(tmp_path.glob("indexes/*"))

    store.delete("people")
    store.close()

    assert not list(tmp_path.glob("indexes/*"))


def test_what_was_learned_of_galleries_that_are_gone_is_erased_at_the_start(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "indexes").mkdir(exist_ok=True)
    (tmp_path / "indexes" / "77.lists").write_bytes(b"of nobody")

    opened(tmp_path).close()

    assert not list(tmp_path.glob("indexes/*"))


def test_a_store_that_is_closed_while_an_index_is_made_makes_it_the_next_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrol(store, range(PEOPLE))
    store.close()

    store = opened(tmp_path)
    assert store.info("people").shots == PEOPLE * SHOTS
    assert kind_of(store) == "ivf"
    store.close()


KILLED = """
import sys, time
from pathlib import Path
from tests.app.gallery.test_growth import enrol, opened
store = opened(Path(sys.argv[1]))
for person in range(60):
    enrol(store, range(person, person + 1))
    print(person, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("acknowledged", [20, 22, 40, 59])
def test_a_kill_while_an_index_is_made_loses_nothing(tmp_path: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == acknowledged:
                break
        os.kill(process.pid, signal.SIGKILL)

    store = opened(tmp_path)
    settled(store)
    assert store.info("people").identities >= acknowledged + 1
    for person in range(acknowledged + 1):
        assert found(store, person) == f"p{person}"
    store.close()
    assert not list(tmp_path.glob("indexes/*.new"))
