"""`kill -9` at any moment: what was acknowledged is there afterwards, and nothing else is."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.domain import Search
from app.gallery.gallery import GalleryStore
from tests.app.gallery.crash_writer import embedding_of
from tests.app.gallery.journal import check, count_acknowledged, read_journals
from tests.app.gallery.support import CHECKPOINT, open_store

ROOT = Path(__file__).resolve().parents[3]
KILLS = 16


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    """A process that starts writers."""
    command = [sys.executable, "-m", "tests.app.gallery.crash_writer"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def observe(store: GalleryStore) -> dict[str, frozenset[str]]:
    """The pictures of everyone, each of which a search has to find as well."""
    observed = {}
    for identity in store.identities("people", None, 10_000):
        shots = store.shots("people", identity.identity_id)
        observed[identity.identity_id] = frozenset(str(shot.image_sha256) for shot in shots)
        assert identity.shots == len(shots)
        for shot in shots:
            query = embedding_of(str(shot.image_sha256))[None]
            (found,) = store.search("people", query, Search(1), CHECKPOINT).identities
            assert (found.identity_id, found.best_shot.shot_id) == (identity.identity_id, shot.shot_id)
            assert found.shots == len(shots)
    info = store.info("people")
    assert (info.identities, info.shots) == (len(observed), sum(map(len, observed.values())))
    return observed


def kill_after(writers: subprocess.Popen[str], data_dir: Path, journal_dir: Path, name: str, calls: int) -> None:
    """Run a writer until it was told so many times that something is done, and kill it."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    enough = count_acknowledged(journal_dir) + calls
    writers.stdin.write(f"{data_dir} {journal_dir} {name}\n")
    writers.stdin.flush()
    process = int(writers.stdout.readline())
    for _ in range(20_000):
        if count_acknowledged(journal_dir) >= enough:
            break
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    assert writers.stdout.readline() == "dead\n"
    assert count_acknowledged(journal_dir) >= enough


def test_a_killed_writer_leaves_what_was_acknowledged_and_nothing_else(
    tmp_path: Path, writers: subprocess.Popen[str]
) -> None:
    chance = random.Random(0)
    data_dir, journal_dir = tmp_path / "data", tmp_path / "journals"
    journal_dir.mkdir()
    for kill in range(KILLS):
        kill_after(writers, data_dir, journal_dir, f"w{kill}", chance.randint(1, 12))

        store = open_store(data_dir)
        calls = check(observe(store), read_journals(journal_dir))
        assert store.info("people").version == calls
        store.close()
    connection = sqlite3.connect(data_dir / "gallery.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
