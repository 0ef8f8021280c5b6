import uuid

import httpx
import pytest

from app.samples import sample_crops

JPEGS = [crop.jpeg for crop in sample_crops(identities=2, cameras=3)]


@pytest.fixture
def gallery(client: httpx.Client) -> str:
    """The address of an empty gallery of one's own."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name, "label": "a shop"}).raise_for_status()
    return f"/v1/galleries/{name}"


def enrol(client: httpx.Client, gallery: str, identity: str, *jpegs: bytes, **fields: str) -> httpx.Response:
    files = [("image", jpeg) for jpeg in jpegs]
    return client.post(f"{gallery}/identities/{identity}/shots", files=files, data=fields)


def test_the_default_gallery_is_always_there(client: httpx.Client) -> None:
    assert client.get("/v1/galleries/default").json()["name"] == "default"
    assert client.delete("/v1/galleries/default").status_code == 409


def test_a_gallery_is_created_changed_listed_and_erased(client: httpx.Client, gallery: str) -> None:
    created = client.get(gallery).json()
    changed = client.patch(gallery, json={"label": "another shop", "metadata": {"floor": 2}}).json()

    assert (created["label"], created["shots"], created["version"]) == ("a shop", 0, 0)
    assert (changed["label"], changed["metadata"]) == ("another shop", {"floor": 2})
    assert created["name"] in {info["name"] for info in client.get("/v1/galleries").json()}
    assert client.delete(gallery).json()["gallery"] == created["name"]
    assert client.get(gallery).status_code == 404


def test_a_name_can_be_taken_once(client: httpx.Client, gallery: str) -> None:
    response = client.post("/v1/galleries", json={"name": gallery.rpartition("/")[2]})

    assert (response.status_code, response.json()["type"]) == (409, "/problems/already-exists")


def test_enrolling_creates_the_identity_and_counts_versions(client: httpx.Client, gallery: str) -> None:
    first = enrol(client, gallery, "anna", *JPEGS[:2], label="Anna", camera="c1", metadata='{"door": 3}')
    second = enrol(client, gallery, "anna", JPEGS[2])

    assert first.status_code == 201
    assert [shot["status"] for shot in first.json()["shots"]] == ["created", "created"]
    assert (first.json()["gallery_version"], second.json()["gallery_version"]) == (1, 2)
    anna = client.get(f"{gallery}/identities/anna").json()
    assert (anna["label"], anna["shots"]) == ("Anna", 3)
    shots = client.get(f"{gallery}/identities/anna/shots").json()["shots"]
    assert [(shot["camera"], shot["metadata"]) for shot in shots] == [("c1", {"door": 3})] * 2 + [(None, {})]


def test_the_same_bytes_are_one_shot(client: httpx.Client, gallery: str) -> None:
    first = enrol(client, gallery, "anna", JPEGS[0])
    again = enrol(client, gallery, "anna", JPEGS[0], JPEGS[1])

    assert again.status_code == 201
    assert [shot["status"] for shot in again.json()["shots"]] == ["duplicate", "created"]
    assert again.json()["shots"][0]["shot_id"] == first.json()["shots"][0]["shot_id"]
    assert enrol(client, gallery, "anna", JPEGS[0]).status_code == 200


def test_a_repeated_idempotency_key_returns_the_stored_answer(client: httpx.Client, gallery: str) -> None:
    url, files = f"{gallery}/identities/anna/shots", [("image", JPEGS[0])]
    key = {"Idempotency-Key": "k-1"}

    first = client.post(url, files=files, headers=key)
    again = client.post(url, files=files, headers=key)
    other = client.post(url, files=[("image", JPEGS[1])], headers=key)

    assert first.json() == again.json()
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-conflict")


def test_a_bad_picture_does_not_stop_the_others_from_being_enrolled(client: httpx.Client, gallery: str) -> None:
    response = enrol(client, gallery, "anna", JPEGS[0], b"not a picture", JPEGS[1])

    shots = response.json()["shots"]
    assert [shot["status"] for shot in shots] == ["created", "error", "created"]
    assert shots[1]["problem"]["type"] == "/problems/undecodable-image"
    assert client.get(f"{gallery}/identities/anna").json()["shots"] == 2


def test_identities_come_in_pages_that_miss_nobody(client: httpx.Client, gallery: str) -> None:
    names = [f"p-{number}" for number in range(5)]
    for name in names:
        client.put(f"{gallery}/identities/{name}", json={"label": name.upper()}).raise_for_status()

    seen, cursor = [], None
    while True:
        page = client.get(f"{gallery}/identities", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [identity["identity_id"] for identity in page["identities"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == names


def test_an_identity_is_put_changed_and_erased_with_a_receipt(client: httpx.Client, gallery: str) -> None:
    client.put(f"{gallery}/identities/anna", json={"label": "Anna", "metadata": {"a": 1}})
    changed = client.patch(f"{gallery}/identities/anna", json={"label": "Anna B."}).json()
    shot_ids = [shot["shot_id"] for shot in enrol(client, gallery, "anna", *JPEGS[:2]).json()["shots"]]

    receipt = client.delete(f"{gallery}/identities/anna").json()

    assert (changed["label"], changed["metadata"]) == ("Anna B.", {"a": 1})
    assert (receipt["identity_id"], sorted(receipt["shot_ids"])) == ("anna", sorted(shot_ids))
    assert client.get(f"{gallery}/identities/anna").status_code == 404
    found = client.post("/v1/reid/query", files={"image": JPEGS[0]}, data={"gallery": gallery.rpartition("/")[2]})
    assert (found.json()["identities"], found.json()["decision"]) == ([], "unknown")


def test_one_shot_can_be_erased(client: httpx.Client, gallery: str) -> None:
    kept, gone = (shot["shot_id"] for shot in enrol(client, gallery, "anna", *JPEGS[:2]).json()["shots"])

    receipt = client.delete(f"{gallery}/identities/anna/shots/{gone}").json()

    assert receipt["shot_ids"] == [gone]
    shots = client.get(f"{gallery}/identities/anna/shots").json()["shots"]
    assert [shot["shot_id"] for shot in shots] == [kept]
    assert client.delete(f"{gallery}/identities/anna/shots/{gone}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v1/galleries/nowhere", "unknown-gallery"),
        ("GET", "/v1/galleries/nowhere/identities", "unknown-gallery"),
        ("POST", "/v1/galleries/nowhere/identities/anna/shots", "unknown-gallery"),
        ("GET", "/v1/galleries/default/identities/nobody", "unknown-identity"),
        ("GET", "/v1/galleries/default/identities/nobody/shots", "unknown-identity"),
        ("DELETE", "/v1/galleries/default/identities/nobody", "unknown-identity"),
        ("DELETE", "/v1/galleries/default/identities/nobody/shots/none", "unknown-identity"),
        ("GET", "/v1/nothing", "not-found"),
    ],
)
def test_what_is_not_there_is_a_404_that_says_what(client: httpx.Client, method: str, path: str, kind: str) -> None:
    response = client.request(method, path, files={"image": JPEGS[0]} if method == "POST" else None)

    assert (response.status_code, response.json()["type"]) == (404, f"/problems/{kind}")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": "\\ud800"}',
        "[1]",
        '{"a": ' + "[" * 300 + "]" * 300 + "}",
        "{}x",
        '{"a": "' + "x" * 20000 + '"}',
    ],
    ids=["NaN", "Infinity", "surrogate", "list", "deep", "not JSON", "large"],
)
def test_metadata_that_cannot_be_kept_is_refused_everywhere(client: httpx.Client, gallery: str, metadata: str) -> None:
    json_type = {"Content-Type": "application/json"}
    body = f'{{"metadata": {metadata}}}'.encode()

    answers = [
        client.put(f"{gallery}/identities/anna", content=body, headers=json_type),
        client.patch(gallery, content=body, headers=json_type),
        enrol(client, gallery, "anna", JPEGS[0], metadata=metadata),
    ]

    assert [answer.status_code // 100 for answer in answers] == [4, 4, 4]
    assert client.get(f"{gallery}/identities").json()["identities"] == []


def test_an_empty_idempotency_key_is_none(client: httpx.Client, gallery: str) -> None:
    for identity in ("anna", "bert"):
        url = f"{gallery}/identities/{identity}/shots"
        answer = client.post(url, files={"image": JPEGS[0]}, headers={"Idempotency-Key": ""})
        assert answer.status_code == 201


def test_a_gallery_tells_its_size_and_how_it_is_searched(client: httpx.Client, gallery: str) -> None:
    enrol(client, gallery, "anna", *JPEGS[:2])

    stats = client.get(f"{gallery}/stats").json()

    assert (stats["shots"], stats["identities"], stats["gallery_version"]) == (2, 1, 1)
    assert (stats["index"]["kind"], stats["index"]["recall_at_10"], stats["index"]["building"]) == ("exact", 1.0, False)
    assert stats["index"]["vector_bytes"] == 2 * 4 * stats["embedding_dim"]
    assert client.get("/v1/galleries/nowhere/stats").json()["type"] == "/problems/unknown-gallery"
