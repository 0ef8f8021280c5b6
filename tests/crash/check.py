"""What a server that was killed has to show when it is back."""

import base64
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.gallery.logs import read_log
from app.gallery.slots import STORED
from tests.crash.state import Embedding, State, Who, agree, content_of, embedding_of
from tests.crash.writer import GALLERIES, PICTURES, Writer

QUERIES = 4
TOLERANCE = 2e-5


@dataclass(frozen=True, eq=False)
class Observed:
    """Everything that is there.

    Attributes:
        state: whose shots are whose.
        embeddings: (N, D) by identity, in the order of the state's shots.
    """

    state: State
    embeddings: Mapping[Who, Embedding]


def check(client: httpx.Client, data_dir: Path, writers: Sequence[Writer], seed: int) -> None:
    """Assert that what was acknowledged is there, nothing else, found by searches, and nothing erased is on the disk.

    The writers know afterwards what became of what was under way.
    """
    observed = observe(client)
    for writer in writers:
        mine = {who: shots for who, shots in observed.state.items() if who.identity_id.startswith(f"{writer.name}-")}
        assert any(agree(state, mine) for state in writer.possible()), (writer.possible(), mine)
        writer.state, writer.under_way = mine, ()
    assert sum(len(writer.state) for writer in writers) == len(observed.state), "nobody else enrolled anybody"
    for gallery in GALLERIES:
        check_searches(client, gallery, observed, seed)
    check_residue(data_dir, writers)


def observe(client: httpx.Client) -> Observed:
    """Export everybody; every shot's embedding has to be that of its content, or of a picture."""
    state, embeddings = {}, {}
    for gallery in GALLERIES:
        page = client.get(f"/v1/galleries/{gallery}/identities", params={"limit": 1000}).raise_for_status().json()
        assert page["next_cursor"] is None
        for identity in page["identities"]:
            who = Who(gallery, identity["identity_id"])
            exported = client.get(f"{who.path}/export").raise_for_status().json()
            rows = [np.frombuffer(base64.b64decode(shot["embedding"]), STORED) for shot in exported["shots"]]
            contents = [_content(shot, row) for shot, row in zip(exported["shots"], rows, strict=True)]
            state[who] = {one: shot["shot_id"] for one, shot in zip(contents, exported["shots"], strict=True)}
            assert len(state[who]) == len(rows) == identity["shots"], "no shot is there twice"
            embeddings[who] = np.array(rows, np.float32).reshape(len(rows), exported["embedding_dim"])
        info = client.get(f"/v1/galleries/{gallery}").raise_for_status().json()
        here = [who for who in state if who.gallery == gallery]
        assert (info["identities"], info["shots"]) == (len(here), sum(len(state[who]) for who in here))
    return Observed(state, embeddings)


def check_searches(client: httpx.Client, gallery: str, observed: Observed, seed: int) -> None:
    """Assert that the index answers as a comparison with every exported embedding does."""
    rows = {who: rows for who, rows in observed.embeddings.items() if who.gallery == gallery and len(rows)}
    chance = np.random.default_rng(seed)
    for _ in range(QUERIES):
        query = chance.standard_normal(next(iter(rows.values())).shape[1] if rows else 384)
        if rows and chance.random() < 0.75:
            likes = list(rows.values())[chance.integers(len(rows))]
            query = 0.3 * query / np.linalg.norm(query) + likes[chance.integers(len(likes))]
        query = query / np.linalg.norm(query)
        body = {"gallery": gallery, "embedding": query.tolist(), "limit": 1000}
        found = client.post("/v1/reid/query", json=body).raise_for_status().json()["identities"]
        expected = {who.identity_id: (float((mine @ query).max()), len(mine)) for who, mine in rows.items()}
        assert {one["identity_id"]: one["shots"] for one in found} == {name: n for name, (_, n) in expected.items()}
        for one in found:
            assert abs(one["similarity"] - expected[one["identity_id"]][0]) < TOLERANCE
            shots = observed.state[Who(gallery, one["identity_id"])]
            best = list(shots.values()).index(one["best_shot"]["shot_id"])
            own = float(rows[Who(gallery, one["identity_id"])][best] @ query)
            assert abs(own - one["similarity"]) < TOLERANCE
        assert [one["similarity"] for one in found] == sorted((one["similarity"] for one in found), reverse=True)


def check_residue(data_dir: Path, writers: Sequence[Writer]) -> None:
    """Assert that no file holds an embedding that was erased, or was never acknowledged and is not there."""
    stored = b"".join(path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file())
    for writer in writers:
        there = {content for shots in writer.state.values() for content in shots}
        gone = writer.contents - there
        left = [content for content in gone if embedding_of(content).astype(STORED).tobytes() in stored]
        assert not left, f"{len(left)} of {len(gone)} erased embeddings are still on the disk"
        # What was searched for once is not searched for again, unless it may still be sent.
        if writer.cut_off is None:
            writer.contents &= there


def check_trail(data_dir: Path) -> int:
    """Assert that the audit trail is in order, while no server runs; returns how many entries it has."""
    return len(read_log(data_dir, 0))


def check_file(data_dir: Path) -> None:
    """Assert that SQLite finds nothing wrong."""
    with closing(sqlite3.connect(data_dir / "gallery.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def _content(shot: dict[str, Any], row: Embedding) -> str:
    if shot["image_sha256"] is not None:
        assert shot["image_sha256"] in PICTURES
        return str(shot["image_sha256"])
    content = content_of(row)
    assert np.abs(row - embedding_of(content)).max() < 1e-6, "the embedding is not the one that was sent"
    return content
