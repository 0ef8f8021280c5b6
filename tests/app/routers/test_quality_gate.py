"""Galleries that look at the crops they are given, over HTTP, with the bundled pose network."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.samples import sample_crops
from tests.app.conftest import start_server
from tests.app.pictures import encode
from tests.app.pose_weights import with_bundled

PERSON, OTHER = (sample.jpeg for sample in sample_crops(identities=2, cameras=1))
NOT_THERE = {"no_person", "head_hidden", "torso_hidden", "arms_hidden", "legs_hidden"}
NOBODY = encode(np.full((256, 128, 3), 90, np.uint8), "JPEG")


def create(client: httpx.Client, **fields: object) -> str:
    """The address of a new gallery."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name, **fields}).raise_for_status()
    return f"/v1/galleries/{name}"


def enrol(client: httpx.Client, gallery: str, *files: bytes) -> httpx.Response:
    return client.post(f"{gallery}/identities/anna/shots", files=[("image", file) for file in files])


def enrol_lines(client: httpx.Client, gallery: str, *files: bytes) -> dict[str, Any]:
    lines = [{"identity_id": "anna", "image": base64.b64encode(file).decode()} for file in files]
    body = "\n".join(map(json.dumps, lines))
    response = client.post(f"{gallery}/shots:batch", content=body, headers={"Content-Type": "application/x-ndjson"})
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer


def test_a_gallery_asks_nothing_of_crops_until_it_is_told_to(client: httpx.Client) -> None:
    gallery = create(client)
    shots = enrol(client, gallery, NOBODY).raise_for_status().json()["shots"]

    qualities = [client.get(gallery).json()["quality"]]
    for quality in ("warn", "reject"):
        qualities.append(client.patch(gallery, json={"quality": quality}).json()["quality"])
    qualities.append(client.patch(gallery, json={"label": "Hall"}).json()["quality"])

    assert (shots[0]["status"], shots[0]["quality"]) == ("created", None)
    assert qualities == ["off", "warn", "reject", "reject"]


@pytest.mark.parametrize("send", ["one person", "batch"])
def test_a_warning_comes_with_the_shot(client: httpx.Client, send: str) -> None:
    gallery = create(client, quality="warn")

    if send == "batch":
        shots = enrol_lines(client, gallery, PERSON, NOBODY, b"no picture")["shots"]
    else:
        shots = enrol(client, gallery, PERSON, NOBODY, b"no picture").json()["shots"]

    assert [shot["status"] for shot in shots] == ["created", "created", "error"]
    person, nobody, unread = (shot["quality"] for shot in shots)
    assert person["score"] > 0.6 > nobody["score"]
    assert nobody["reasons"]
    assert set(nobody["reasons"]) <= NOT_THERE
    assert unread is None
    assert shots[2]["problem"]["type"] == "/problems/undecodable-image"


@pytest.mark.parametrize("send", ["one person", "batch"])
def test_a_crop_that_shows_too_little_is_refused_alone(client: httpx.Client, send: str) -> None:
    gallery = create(client, quality="reject")

    if send == "batch":
        answer = enrol_lines(client, gallery, NOBODY, PERSON, b"no picture", OTHER)
    else:
        answer = enrol(client, gallery, NOBODY, PERSON, b"no picture", OTHER).json()

    assert [shot["status"] for shot in answer["shots"]] == ["error", "created", "error", "created"]
    problem = answer["shots"][0]["problem"]
    assert (problem["type"], problem["status"]) == ("/problems/low-quality-crop", 422)
    assert (problem["field"], problem["limit"]) == ("image", 0.6)
    assert problem["reasons"]
    assert set(problem["reasons"]) <= NOT_THERE
    assert answer["shots"][2]["problem"]["type"] == "/problems/undecodable-image"
    assert client.get(gallery).json()["shots"] == 2


def test_an_enrolment_of_refused_crops_only_is_refused(client: httpx.Client) -> None:
    gallery = create(client, quality="reject")

    response = enrol(client, gallery, NOBODY)

    assert (response.status_code, response.json()["type"]) == (422, "/problems/low-quality-crop")
    assert response.json()["reasons"]
    assert client.get(gallery).json()["identities"] == 0


def test_embeddings_pass_since_nothing_can_be_seen_of_them(client: httpx.Client) -> None:
    gallery = create(client, quality="reject")
    embedding = np.eye(1, client.get(gallery).json()["embedding_dim"])[0].tolist()

    one = client.post(f"{gallery}/identities/anna/shots", json={"embedding": embedding})
    line = json.dumps({"identity_id": "bo", "embedding": embedding})
    many = client.post(f"{gallery}/shots:batch", content=line, headers={"Content-Type": "application/x-ndjson"})

    for answer in (one.json(), many.json()):
        assert [(shot["status"], shot["quality"]) for shot in answer["shots"]] == [("created", None)]


def test_an_unknown_quality_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/galleries", json={"name": f"g-{uuid.uuid4().hex}", "quality": "perhaps"})

    assert (response.status_code, response.json()["field"]) == (422, "quality")


def test_without_a_pose_network_a_gallery_cannot_ask_for_one(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data", weights_dir=str(with_bundled(tmp_path / "weights")))
    try:
        with server.client() as client:
            made = client.post("/v1/galleries", json={"name": "hall", "quality": "warn"})
            changed = client.patch("/v1/galleries/default", json={"quality": "reject"})
            plain = client.post("/v1/galleries", json={"name": "hall", "quality": "off"})
    finally:
        server.terminate()

    for refused in (made, changed):
        problem = refused.json()
        assert (refused.status_code, problem["type"], problem["field"]) == (404, "/problems/unknown-model", "quality")
        assert "pose model" in problem["detail"]
    assert plain.status_code == 201
