import base64

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.app.pictures import encode, pattern

GOOD = encode(pattern(), "JPEG")
NOISE = encode(np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8))
URL = "/v1/reid/embed"


@pytest.mark.parametrize(
    ("request_body", "status", "kind", "field"),
    [
        ({"files": {"image": b""}}, 422, "undecodable-image", "image"),
        ({"files": {"image": b"plain text"}}, 422, "undecodable-image", "image"),
        ({"files": {"image": GOOD[:-300]}}, 422, "undecodable-image", "image"),
        ({"files": {"image": encode(pattern(1, 1))}}, 422, "image-too-small", "image"),
        ({"files": {"image": NOISE}}, 413, "image-too-large", "image"),
        ({"files": {"image": encode(np.zeros((9000, 9000), np.uint8))}}, 413, "image-too-large", "image"),
        ({"files": {"picture": GOOD}}, 422, "invalid-field", "picture"),
        ({"files": {"image": GOOD}, "data": {"surprise": "1"}}, 422, "invalid-field", "surprise"),
        ({"files": {"image": GOOD}, "data": {"encoding": "hex"}}, 422, "invalid-field", "encoding"),
        ({"files": [("image", GOOD)] * 9}, 413, "too-many-images", "image"),
        ({"json": {"image": [base64.b64encode(GOOD).decode()] * 9}}, 413, "too-many-images", "image"),
        ({"json": {}}, 422, "no-image", "image"),
        ({"json": {"image": "***"}}, 422, "invalid-field", "image"),
        ({"json": {"image": 7}}, 422, "invalid-field", "image"),
        ({"json": [1, 2]}, 400, "malformed-request", "body"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed-request", "body"),
        (
            {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}},
            400,
            "malformed-request",
            "body",
        ),
        ({"content": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400, "malformed-request", "body"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "malformed-request", None),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, None, None),
        ({"content": b"<x/>", "headers": {"Content-Type": "application/xml"}}, 415, "unsupported-media-type", None),
        ({"content": b""}, 415, "unsupported-media-type", None),
        ({"content": b"", "headers": {"Content-Type": "image/jpeg"}}, 422, "undecodable-image", "image"),
    ],
)
def test_bad_input_gets_a_problem_that_names_the_field(
    client: httpx.Client, request_body: dict[str, object], status: int, kind: str | None, field: str | None
) -> None:
    response = client.post(URL, **request_body)  # type: ignore[arg-type]

    problem = response.json()
    assert response.status_code == status, problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["instance"] == URL
    assert problem["request_id"] == response.headers["x-request-id"]
    assert kind is None or problem["type"] == f"/problems/{kind}"
    assert problem.get("field") == field


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/v1/galleries/default/identities/John%20Smith", {}, "identity"),
        ("GET", "/v1/galleries/caf%C3%A9", None, "gallery"),
        ("POST", "/v1/galleries", {"name": "_hall"}, "name"),
        ("POST", "/v1/galleries", {"name": "x" * 129}, "name"),
    ],
)
def test_a_name_that_cannot_be_is_told_in_plain_words(
    client: httpx.Client, method: str, path: str, body: dict[str, str] | None, field: str
) -> None:
    response = client.request(method, path, json=body)

    rule = "1 to 128 of the letters a to z and A to Z, digits and . _ @ : -, beginning with a letter or digit"
    assert (response.status_code, response.json()["detail"]) == (422, f"{field}: must be {rule}")


def test_a_limit_is_named_with_its_value(client: httpx.Client) -> None:
    problem = client.post(URL, files={"image": NOISE}).json()

    assert (problem["limit"], "2000000" in problem["detail"]) == (2_000_000, True)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[("JPEG", mode) for mode in ("RGB", "L", "CMYK", "1")],
        *[("PNG", mode) for mode in ("RGB", "L", "P", "RGBA", "1", "LA", "I;16")],
        *[("WEBP", mode) for mode in ("RGB", "L", "P", "RGBA", "CMYK", "1", "LA")],
        *[("BMP", mode) for mode in ("RGB", "L", "P", "RGBA", "1")],
        *[("GIF", mode) for mode in ("RGB", "L", "P", "RGBA", "1", "LA")],
    ],
)
def test_every_readable_kind_of_picture_is_embedded(client: httpx.Client, kind: str, mode: str) -> None:
    picture = Image.fromarray(pattern()).convert("L" if mode == "I;16" else mode)
    data = encode(picture.convert("I;16") if mode == "I;16" else picture, kind)

    response = client.post(URL, files={"image": data})

    assert response.status_code == 200, response.text


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 129, "ümlaut", "a/b"])
def test_a_gallery_name_outside_the_alphabet_is_refused(client: httpx.Client, name: str) -> None:
    response = client.post("/v1/galleries", json={"name": name})

    assert (response.status_code, response.json()["field"]) == (422, "name")


@pytest.mark.parametrize("limit", ["0", "1001", "many", "-1", "1.5"])
def test_a_limit_out_of_range_is_refused(client: httpx.Client, limit: str) -> None:
    response = client.post("/v1/reid/query", files={"image": GOOD}, data={"limit": limit})

    assert (response.status_code, response.json()["field"]) == (422, "limit")


def test_a_wrong_method_is_told(client: httpx.Client) -> None:
    assert client.get("/v1/reid/query").json()["type"] == "/problems/method-not-allowed"


def test_a_multipart_body_that_was_cut_off_is_refused(client: httpx.Client) -> None:
    request = client.build_request("POST", URL, files=[("image", GOOD), ("image", GOOD)])
    whole = request.read()

    response = client.post(URL, content=whole[:-300], headers={"Content-Type": request.headers["content-type"]})

    assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-request")
    assert "ended early" in response.json()["detail"]


def test_a_picture_that_came_as_text_is_told_how_to_send_it(client: httpx.Client) -> None:
    response = client.post(URL, files=[("image", (None, "picture.jpg"))])

    assert "@picture.jpg" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/galleries"), ("PATCH", "/v1/galleries/default"), ("POST", "/v1/galleries/default/calibration")],
)
def test_a_key_that_comes_twice_is_refused_by_every_route(client: httpx.Client, method: str, path: str) -> None:
    twice = b'{"label": "a", "name": "twice", "label": "b"}'

    answer = client.request(method, path, content=twice, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-field")
    assert answer.json()["field"] == "label"
