import base64
import io
import uuid
from typing import Any

import httpx
import numpy as np
import pytest

from app.samples import Sample, sample_crops

CROPS = sample_crops(identities=3, cameras=3)


def crops_of(person: int) -> list[Sample]:
    return [crop for crop in CROPS if crop.identity == f"sample-{person:02d}"]


def images(*crops: bytes, field: str = "image") -> list[tuple[str, bytes]]:
    return [(field, crop) for crop in crops]


@pytest.fixture
def gallery(client: httpx.Client) -> str:
    """A gallery with three people, two shots each."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name}).raise_for_status()
    for person in range(3):
        url = f"/v1/galleries/{name}/identities/person-{person}/shots"
        for crop in crops_of(person)[:2]:
            client.post(url, files=images(crop.jpeg), data={"camera": crop.camera}).raise_for_status()
    return name


def test_an_enrolled_picture_is_found_again(client: httpx.Client, gallery: str) -> None:
    answer = client.post("/v1/reid/query", files=images(crops_of(1)[0].jpeg), data={"gallery": gallery}).json()

    best = answer["identities"][0]
    assert (best["rank"], best["identity_id"], best["shots"]) == (1, "person-1", 2)
    assert best["similarity"] == pytest.approx(1, abs=1e-3)
    assert best["best_shot"]["camera"] == "c1"
    assert answer["decision"] == "match"
    assert (answer["gallery"], answer["gallery_version"]) == (gallery, 6)
    assert [shot["status"] for shot in answer["shots"]] == ["ok"]
    assert answer["timings_ms"]["total"] > 0


def test_every_identity_is_ranked_once_and_the_limit_holds(client: httpx.Client, gallery: str) -> None:
    crop = crops_of(0)[2].jpeg

    everyone = client.post("/v1/reid/query", files=images(crop), data={"gallery": gallery}).json()["identities"]
    two = client.post("/v1/reid/query", files=images(crop), data={"gallery": gallery, "limit": 2}).json()["identities"]

    assert sorted(found["identity_id"] for found in everyone) == ["person-0", "person-1", "person-2"]
    assert [found["rank"] for found in everyone] == [1, 2, 3]
    assert [found["identity_id"] for found in two] == [found["identity_id"] for found in everyone[:2]]


def test_several_crops_are_fused_into_one_answer(client: httpx.Client, gallery: str) -> None:
    both = [crop.jpeg for crop in crops_of(2)[:2]]

    def similarity(crops: list[bytes], aggregate: str) -> float:
        fields = {"gallery": gallery, "aggregate": aggregate}
        answer = client.post("/v1/reid/query", files=images(*crops), data=fields).json()
        by_id = {found["identity_id"]: found["similarity"] for found in answer["identities"]}
        return float(by_id["person-0"])

    single = [similarity([crop], "mean") for crop in both]
    assert similarity(both, "mean") == pytest.approx(np.mean(single), abs=1e-3)
    assert similarity(both, "best") == pytest.approx(max(single), abs=1e-3)


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_embeddings_have_unit_length_in_every_encoding(client: httpx.Client, prefix: str) -> None:
    crops = [crop.jpeg for crop in crops_of(0)]

    as_list = client.post(f"{prefix}/reid/embed", files=images(*crops)).json()
    as_text = client.post(f"{prefix}/reid/embed", files=images(*crops), data={"encoding": "base64"}).json()
    as_npy = client.post(f"{prefix}/reid/embed", files=images(*crops), headers={"Accept": "application/x-npy"})

    rows = np.array([item["embedding"] for item in as_list["embeddings"]], np.float32)
    decoded = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in as_text["embeddings"]]
    assert rows.shape == (3, as_list["dim"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(np.stack(decoded) - rows).max() < 1e-4
    assert np.abs(np.load(io.BytesIO(as_npy.content)) - rows).max() < 1e-4


def test_multipart_json_and_a_raw_body_say_the_same(client: httpx.Client) -> None:
    crop = crops_of(0)[0].jpeg

    answers = [
        client.post("/v1/reid/embed", files=images(crop)),
        client.post("/v1/reid/embed", json={"image": base64.b64encode(crop).decode()}),
        client.post("/v1/reid/embed", json={"image": [base64.b64encode(crop).decode()]}),
        client.post("/v1/reid/embed", content=crop, headers={"Content-Type": "image/jpeg"}),
    ]

    rows = [answer.raise_for_status().json()["embeddings"][0]["embedding"] for answer in answers]
    assert np.abs(np.array(rows) - rows[0]).max() < 1e-5


def test_an_embedding_can_be_sent_instead_of_pictures(client: httpx.Client, gallery: str) -> None:
    crop = crops_of(1)[2].jpeg
    embedding = client.post("/v1/reid/embed", files=images(crop)).json()["embeddings"][0]["embedding"]

    by_picture = client.post("/v1/reid/query", files=images(crop), data={"gallery": gallery}).json()
    by_embedding = client.post("/v1/reid/query", json={"gallery": gallery, "embedding": embedding}).json()

    assert [i["identity_id"] for i in by_embedding["identities"]] == [
        i["identity_id"] for i in by_picture["identities"]
    ]


def test_verification_tells_the_same_person_from_another(client: httpx.Client) -> None:
    def similarity(a: bytes, b: bytes) -> float:
        files = images(a, field="image_a") + images(b, field="image_b")
        answer = client.post("/v1/reid/verify", files=files).raise_for_status().json()
        assert answer["decision"] == ("match" if answer["similarity"] >= answer["threshold"] else "unknown")
        return float(answer["similarity"])

    first, second, third = (crops_of(person) for person in range(3))

    assert similarity(first[0].jpeg, first[0].jpeg) == pytest.approx(1, abs=1e-3)
    assert similarity(first[0].jpeg, first[1].jpeg) > similarity(second[0].jpeg, third[1].jpeg)


def test_a_stricter_verification_asks_for_more(client: httpx.Client) -> None:
    crops = crops_of(0)

    def verified(*crops_a: bytes, **fields: float) -> dict[str, Any]:
        files = images(*crops_a, field="image_a") + images(crops[1].jpeg, field="image_b")
        answer: dict[str, Any] = client.post("/v1/reid/verify", files=files, data=fields).raise_for_status().json()
        return answer

    default = verified(crops[0].jpeg)
    strict, lax = (verified(crops[0].jpeg, target_fmr=rate) for rate in (1e-6, 0.5))

    assert (default["target_fmr"], strict["target_fmr"]) == (0.001, 1e-6)
    assert strict["threshold"] > default["threshold"] > lax["threshold"]
    # Among more crops two people look more alike.
    assert verified(crops[0].jpeg, crops[2].jpeg)["threshold"] > default["threshold"]
    (model,) = (model for model in client.get("/v1/models").json()["models"] if model["task"] == "reid")
    points = {point["false_match_rate"]: point["similarity"] for point in model["calibration"]["thresholds"]}
    assert points[0.001] == pytest.approx(default["threshold"])
    assert model["calibration"]["people"] == 31
    assert model["calibration"]["impostors"] > model["calibration"]["genuine"] > 100


@pytest.mark.parametrize("rate", [0, 1, -0.5, "often"])
def test_a_false_match_rate_that_is_none_is_refused(client: httpx.Client, rate: object) -> None:
    files = images(crops_of(0)[0].jpeg, field="image_a") + images(crops_of(0)[1].jpeg, field="image_b")

    answer = client.post("/v1/reid/verify", files=files, data={"target_fmr": str(rate)})

    assert (answer.status_code, answer.json()["field"]) == (422, "target_fmr")


def test_a_bad_picture_among_good_ones_fails_alone(client: httpx.Client, gallery: str) -> None:
    mixed = images(crops_of(0)[0].jpeg, b"not a picture", crops_of(0)[1].jpeg)

    embedded = client.post("/v1/reid/embed", files=mixed)
    queried = client.post("/v1/reid/query", files=mixed, data={"gallery": gallery})

    assert [item["status"] for item in embedded.json()["embeddings"]] == ["ok", "error", "ok"]
    assert embedded.json()["embeddings"][1]["problem"]["type"] == "/problems/undecodable-image"
    assert queried.json()["identities"][0]["identity_id"] == "person-0"


@pytest.mark.parametrize("rows", [[1.0, 2.0], [[1.0], [1.0, 2.0]], [0.0] * 384, "[1, 2", "nonsense", {"a": 1}, []])
def test_an_unusable_embedding_is_refused(client: httpx.Client, rows: object) -> None:
    response = client.post("/v1/reid/query", json={"embedding": rows})

    assert (response.status_code, response.json()["field"].split(".")[0]) == (422, "embedding")
