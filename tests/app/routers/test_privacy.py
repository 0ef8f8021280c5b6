"""Keeping for a limited time, telling a person what is kept, and leaving nothing behind, over HTTP."""

import base64
import uuid
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.app.conftest import Server
from tests.app.pictures import encode

# Each for one test alone: a picture that is enrolled elsewhere is rightly still there after an erasure here.
JPEGS = [
    encode(np.random.default_rng((77, number)).integers(0, 256, (64, 32, 3), np.uint8), "JPEG") for number in range(8)
]
SUBSTRING = 64


@pytest.fixture
def gallery(client: httpx.Client) -> str:
    """The address of an empty gallery of one's own."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name, "ttl_seconds": 3600}).raise_for_status()
    return f"/v1/galleries/{name}"


def enrol(client: httpx.Client, gallery: str, identity: str, *jpegs: bytes, **fields: str) -> None:
    files = [("image", jpeg) for jpeg in jpegs]
    client.post(f"{gallery}/identities/{identity}/shots", files=files, data=fields).raise_for_status()


def files_with_any(folder: Path, content: bytes) -> list[str]:
    """The files below a folder that hold any 64 bytes of a content, beginning at a multiple of four."""
    parts = [content[at : at + SUBSTRING] for at in range(0, len(content) - SUBSTRING + 1, 4)]
    files = [(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    return [name for name, held in files if any(part in held for part in parts)]


def test_a_gallery_says_how_long_it_keeps_shots(client: httpx.Client, gallery: str) -> None:
    made = client.get(gallery).json()
    relabelled = client.patch(gallery, json={"label": "a shop"}).json()
    longer = client.patch(gallery, json={"ttl_seconds": 7200}).json()
    for_ever = client.patch(gallery, json={"ttl_seconds": None}).json()

    answers = [answer["ttl_seconds"] for answer in (made, relabelled, longer, for_ever)]
    assert answers == [3600, 3600, 7200, None]
    assert for_ever["label"] == "a shop"


@pytest.mark.parametrize("ttl", [0, -1, "soon", 1e300])
def test_a_limit_that_is_none_is_refused(client: httpx.Client, gallery: str, ttl: object) -> None:
    answer = client.patch(gallery, json={"ttl_seconds": ttl})

    assert (answer.status_code, answer.json()["field"]) == (422, "ttl_seconds")


def test_an_export_tells_a_person_all_that_is_kept(client: httpx.Client, gallery: str) -> None:
    enrol(client, gallery, "anna", *JPEGS[6:], label="Anna", camera="c1", metadata='{"door": 3}')

    exported = client.get(f"{gallery}/identities/anna/export").json()

    assert (exported["identity"]["label"], exported["identity"]["shots"]) == ("Anna", 2)
    assert exported["gallery"] == gallery.rpartition("/")[2]
    listed = client.get(f"{gallery}/identities/anna/shots").json()["shots"]
    assert [{key: shot[key] for key in listed[0]} for shot in exported["shots"]] == listed
    lengths = {len(base64.b64decode(shot["embedding"])) for shot in exported["shots"]}
    assert lengths == {4 * exported["embedding_dim"]}
    [entry] = exported["audit"]
    assert (entry["action"], entry["identity_id"]) == ("enrol", "anna")
    assert sorted(entry["detail"]["shots"]) == sorted(shot["shot_id"] for shot in listed)


def test_nobody_is_exported_who_is_not_there(client: httpx.Client, gallery: str) -> None:
    answer = client.get(f"{gallery}/identities/nobody/export")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-identity")


def test_no_file_of_the_data_folder_holds_an_erased_embedding(
    client: httpx.Client, gallery: str, server: Server
) -> None:
    enrol(client, gallery, "anna", *JPEGS[:3])
    enrol(client, gallery, "bea", *JPEGS[3:6])
    shots = client.get(f"{gallery}/identities/anna/export").json()["shots"]
    first, *others = [base64.b64decode(shot["embedding"]) for shot in shots]
    assert files_with_any(server.data_dir, first)

    client.delete(f"{gallery}/identities/anna/shots/{shots[0]['shot_id']}").raise_for_status()

    assert files_with_any(server.data_dir, first) == []
    assert all(files_with_any(server.data_dir, content) for content in others)
    client.delete(f"{gallery}/identities/anna").raise_for_status()
    assert [files_with_any(server.data_dir, content) for content in others] == [[], []]
