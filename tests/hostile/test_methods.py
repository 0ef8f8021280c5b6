import pytest

from tests.app.conftest import Server
from tests.hostile.wire import ask

GALLERY = "/v1/galleries/default"


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/galleries", GALLERY, f"{GALLERY}/identities", "/v2"])
def test_head_answers_as_get_does_without_a_body(impatient: Server, path: str) -> None:
    got, asked = ask(impatient, "GET", path), ask(impatient, "HEAD", path)

    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert int(asked.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/healthz", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/pose", "OPTIONS, POST"),
        ("HEAD", "/v1/pose", "OPTIONS, POST"),
        ("PUT", "/v1/galleries", "GET, HEAD, OPTIONS, POST"),
        ("POST", GALLERY, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("POST", f"{GALLERY}/identities/a", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("PUT", f"{GALLERY}/identities/a/shots", "GET, HEAD, OPTIONS, POST"),
        ("TRACE", "/v1/models", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_told_all_right_ones(impatient: Server, method: str, path: str, allowed: str) -> None:
    wrong, asked = ask(impatient, method, path), ask(impatient, "OPTIONS", path)

    assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)
    assert (asked.status_code, asked.headers["allow"]) == (204, allowed)
    if method != "HEAD":
        assert wrong.json()["type"] == "/problems/method-not-allowed"
        assert allowed in wrong.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/nowhere", "/v1/galleries/", "//healthz"])
def test_an_address_that_is_none_is_not_found(impatient: Server, method: str, path: str) -> None:
    assert ask(impatient, method, path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/healthz?now=1", "now"),
        ("GET", f"{GALLERY}/identities?limit=5&page=2", "page"),
        ("GET", f"{GALLERY}/identities?limit=5&limit=6", "limit"),
        ("GET", "/v1/galleries?%ff=1", "�"),
        ("DELETE", f"{GALLERY}/identities/a?force=1", "force"),
        ("POST", "/v1/reid/query?limit=5", "limit"),
    ],
)
def test_query_parameters_that_nobody_reads_are_refused(impatient: Server, method: str, path: str, field: str) -> None:
    answer = ask(impatient, method, path)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize("path", ["/v1/galleries", "/healthz", "/nowhere"])
def test_answers_are_kept_by_nobody_and_taken_for_nothing_else(impatient: Server, path: str) -> None:
    headers = ask(impatient, "GET", path, headers={"Origin": "https://page.example"}).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("access-control-")]
