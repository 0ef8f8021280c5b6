"""`kill -9` of the real server: what was acknowledged is there afterwards, and nothing else."""

import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from app.samples import sample_crops
from tests.app.conftest import Server, start_server

JPEGS = [crop.jpeg for crop in sample_crops(identities=8, cameras=5)]
GALLERY = "/v1/galleries/default"


@dataclass
class Ledger:
    """What the server acknowledged, by identity, and what was under way when it died."""

    shots: dict[str, set[str]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    uncertain: set[str] = field(default_factory=set)


def enrol_and_erase(server: Server, ledger: Ledger, worker: int, cycle: int) -> None:
    """Change the gallery, one call after the other, until the server is gone."""
    rng = random.Random((worker, cycle).__hash__())
    with server.client() as client:
        for step in range(1000):
            identity = f"w{worker}-c{cycle}-{step // 3}"
            try:
                if step % 3 == 2 and rng.random() < 0.5:
                    client.delete(f"{GALLERY}/identities/{identity}").raise_for_status()
                    ledger.shots.pop(identity)
                    ledger.erased.add(identity)
                else:
                    files = [("image", jpeg) for jpeg in rng.sample(JPEGS, 2)]
                    answer = client.post(f"{GALLERY}/identities/{identity}/shots", files=files).raise_for_status()
                    ids = {shot["shot_id"] for shot in answer.json()["shots"]}
                    ledger.shots[identity] = ledger.shots.get(identity, set()) | ids
            except httpx.TransportError:
                ledger.uncertain.add(identity)
                return


def check(client: httpx.Client, ledger: Ledger) -> None:
    stored = {}
    cursor: dict[str, str | int] = {"limit": 500}
    while True:
        page = client.get(f"{GALLERY}/identities", params=cursor).raise_for_status().json()
        for identity in page["identities"]:
            name = identity["identity_id"]
            shots = client.get(f"{GALLERY}/identities/{name}/shots").raise_for_status().json()["shots"]
            stored[name] = {shot["shot_id"] for shot in shots}
        if page["next_cursor"] is None:
            break
        cursor["cursor"] = page["next_cursor"]
    for identity, shots in ledger.shots.items():
        if identity in ledger.uncertain:
            assert shots <= stored.get(identity, shots)  # a cut-off call may have added or erased, as a whole
        else:
            assert stored[identity] == shots
    assert not (ledger.erased - ledger.uncertain) & set(stored)
    assert set(stored) <= set(ledger.shots) | ledger.uncertain
    found = client.post("/v1/reid/query", files={"image": JPEGS[0]}, data={"limit": 1000}).json()
    with_shots = {identity for identity, shots in stored.items() if shots}
    assert {identity["identity_id"] for identity in found["identities"]} == with_shots


def run_cycles(data_dir: Path, cycles: int) -> int:
    rng, ledger = random.Random(0), Ledger()
    for cycle in range(cycles):
        server = start_server(data_dir, log_level="error")
        try:
            with server.client() as client:
                check(client, ledger)
            workers = [threading.Thread(target=enrol_and_erase, args=(server, ledger, n, cycle)) for n in range(3)]
            for worker in workers:
                worker.start()
            workers[0].join(rng.uniform(0.3, 1.5))
        finally:
            server.kill()
        for worker in workers:
            worker.join()
    server = start_server(data_dir, log_level="error")
    try:
        with server.client() as client:
            check(client, ledger)
    finally:
        server.terminate()
    return len(ledger.shots) + len(ledger.erased)


def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    assert run_cycles(tmp_path, cycles=2) > 0


@pytest.mark.slow
def test_a_server_killed_many_times_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    assert run_cycles(tmp_path, cycles=20) > 0


def test_a_terminated_server_exits_cleanly(tmp_path: Path) -> None:
    server = start_server(tmp_path, log_level="error")

    assert server.terminate() == 0
