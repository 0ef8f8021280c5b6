"""Keys over HTTP, against a real server."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.access.callers import Scope
from app.access.keys import KeyStore
from app.access.opening import keys_url
from app.access.secrets import new_key
from tests.app.conftest import Server, start_server
from tests.app.pictures import encode, pattern

CROP = encode(pattern())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Texts of keys by what they are for, and the folder they are kept in as "folder"."""
    folder = tmp_path_factory.mktemp("keyed")
    made = {"folder": str(folder)}
    with KeyStore(keys_url(folder)) as store:
        wanted: list[tuple[str, set[Scope], set[str] | None]] = [
            ("admin", {Scope.ADMIN}, None),
            ("robot", {Scope.INFER, Scope.QUERY}, {"lab"}),
            ("clerk", {Scope.QUERY, Scope.ENROLL}, {"lab"}),
            ("eraser", {Scope.ERASE}, {"lab"}),
            ("gone", set(Scope), None),
        ]
        for name, scopes, galleries in wanted:
            made[name] = str(store.create(name, frozenset(scopes), frozenset(galleries) if galleries else None))
        store.revoke(made["gone"].split("_")[1])
    return made


@pytest.fixture(scope="module")
def keyed(keys: dict[str, str]) -> Iterator[Server]:
    server = start_server(Path(keys["folder"]), quota_images="30")
    with server.client() as client:
        for gallery in ("lab", "secret"):
            made = client.post("/v1/galleries", json={"name": gallery}, headers={"X-API-Key": keys["admin"]})
            assert made.status_code == 201
    yield server
    server.terminate()


@pytest.fixture
def call(keyed: Server, keys: dict[str, str]) -> Iterator["Call"]:
    with keyed.client() as client:
        yield Call(client, keys)


class Call:
    """Sends requests in the name of a key."""

    def __init__(self, client: httpx.Client, keys: dict[str, str]) -> None:
        self._client, self._keys = client, keys

    def __call__(self, name: str, method: str, path: str, **content: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._keys[name]}"}
        return self._client.request(method, path, headers=headers, **content)  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "gk_x"}, {"Authorization": f"Bearer {new_key()}"}])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/galleries/lab", "/metrics", "/v2/models/x", "/nowhere"])
def test_without_a_valid_key_there_is_no_answer(keyed: Server, path: str, headers: dict[str, str]) -> None:
    answer = httpx.get(keyed.url + path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthorized"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_revoked_key_is_no_key(call: Call) -> None:
    assert call("gone", "GET", "/v1/models").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/v1/readyz", "/openapi.json", "/v2/health/live"])
def test_health_and_the_contract_are_open(keyed: Server, path: str) -> None:
    assert httpx.get(keyed.url + path).status_code == 200


@pytest.mark.parametrize(
    ("name", "method", "path", "content"),
    [
        ("clerk", "POST", "/v1/reid/embed", {"files": {"image": CROP}}),
        ("clerk", "POST", "/v1/pose", {"files": {"image": CROP}}),
        ("clerk", "POST", "/v1/gait/age", {"files": {"gei": CROP}}),
        ("eraser", "POST", "/v1/reid/query", {"files": {"image": CROP}, "data": {"gallery": "lab"}}),
        ("robot", "POST", "/v1/galleries/lab/identities/a/shots", {"files": {"image": CROP}}),
        ("robot", "PUT", "/v1/galleries/lab/identities/a", {"json": {}}),
        ("clerk", "DELETE", "/v1/galleries/lab/identities/a", {}),
        ("clerk", "DELETE", "/v1/galleries/lab", {}),
        ("eraser", "GET", "/v1/galleries/lab/identities", {}),
        ("clerk", "POST", "/v1/galleries", {"json": {"name": "mine"}}),
        ("robot", "GET", "/metrics", {}),
    ],
)
def test_a_key_without_the_scope_is_told_which(
    call: Call, name: str, method: str, path: str, content: dict[str, object]
) -> None:
    answer = call(name, method, path, **content)

    assert answer.status_code == 403, answer.text
    assert "does not have the scope" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "suffix", "content"),
    [
        ("GET", "", {}),
        ("PATCH", "", {"json": {"label": "x"}}),
        ("DELETE", "", {}),
        ("GET", "/identities", {}),
        ("GET", "/identities/a/shots", {}),
        ("POST", "/identities/a/shots", {"files": {"image": CROP}}),
        ("DELETE", "/identities/a", {}),
    ],
)
@pytest.mark.parametrize("name", ["robot", "clerk", "eraser"])
def test_another_ones_gallery_looks_like_none(
    call: Call, name: str, method: str, suffix: str, content: dict[str, object]
) -> None:
    there = call(name, method, f"/v1/galleries/secret{suffix}", **content)
    nowhere = call(name, method, f"/v1/galleries/nowhere{suffix}", **content)

    assert there.status_code == nowhere.status_code == 404
    assert there.text.replace("secret", "nowhere").split("request_id")[0] == nowhere.text.split("request_id")[0]


def test_another_ones_gallery_is_neither_searched_nor_listed_nor_moved_into(call: Call) -> None:
    assert call("admin", "POST", "/v1/galleries/lab/identities/m/shots", files={"image": CROP}).status_code == 201
    searched = call("robot", "POST", "/v1/reid/query", files={"image": CROP}, data={"gallery": "secret"})
    moved = call("clerk", "POST", "/v1/galleries/lab/identities/m:move", json={"gallery": "secret"})

    assert searched.status_code == moved.status_code == 404
    assert [gallery["name"] for gallery in call("clerk", "GET", "/v1/galleries").json()] == ["lab"]
    assert {"lab", "secret"} <= {gallery["name"] for gallery in call("admin", "GET", "/v1/galleries").json()}


def test_each_scope_allows_its_own(call: Call) -> None:
    assert call("clerk", "POST", "/v1/galleries/lab/identities/b/shots", files={"image": CROP}).status_code == 201
    found = call("robot", "POST", "/v1/reid/query", files={"image": CROP}, data={"gallery": "lab"})
    assert found.status_code == 200
    assert "b" in [entry["identity_id"] for entry in found.json()["identities"]]
    assert call("eraser", "DELETE", "/v1/galleries/lab/identities/b").status_code == 200
    assert call("admin", "GET", "/metrics").status_code == 200


def test_a_spent_quota_says_when_to_come_back(keyed: Server, keys: dict[str, str]) -> None:
    with KeyStore(keys_url(Path(keys["folder"]))) as store:
        fresh = str(store.create("greedy", frozenset({Scope.INFER}), None))
    crops = [("image", CROP)] * 16

    answers = [
        httpx.post(f"{keyed.url}/v1/reid/embed", files=crops, headers={"X-API-Key": fresh}, timeout=60)
        for _ in range(2)
    ]

    limits = httpx.get(f"{keyed.url}/v1/limits", headers={"X-API-Key": fresh}).json()
    assert limits["quotas_per_minute"] == {"requests": None, "images": 30, "kilobytes": None}
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) >= 1
    assert (answers[1].json()["field"], answers[1].json()["limit"]) == ("images", 30)
