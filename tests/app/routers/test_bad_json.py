"""What is told of JSON that does not say clearly what is meant."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.app.pictures import encode, pattern

PICTURE = encode(pattern(), "JPEG")
QUERY = "/v1/reid/query"
AS_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def row() -> list[float]:
    """An embedding of the default gallery's checkpoint."""
    return [float(value) for value in np.random.default_rng(0).standard_normal(384)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", "3"),
        ("limit", True),
        ("limit", 2.5),
        ("min_version", "0"),
        ("min_version", False),
        ("target_fpir", "0.01"),
        ("target_fpir", True),
        ("filter", {"taken_from": "12"}),
        ("filter", {"taken_before": True}),
        ("embedding", ["0.1"] * 384),
        ("embedding", [0.1] * 383 + [True]),
        ("embedding", [[0.1] * 383 + ["0.1"]]),
        ("embedding", {"a": 1}),
    ],
)
def test_a_number_in_json_is_neither_text_nor_a_truth_value(
    client: httpx.Client, row: list[float], field: str, value: object
) -> None:
    answer = client.post(QUERY, json={"embedding": row, field: value})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "valid " in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/galleries", {"name": "a", "ttl_seconds": "60"}, "ttl_seconds"),
        ("POST", "/v1/galleries", {"name": "a", "ttl_seconds": True}, "ttl_seconds"),
        ("PATCH", "/v1/galleries/default", {"ttl_seconds": True}, "ttl_seconds"),
        ("POST", "/v1/galleries/default/calibration", {"pairs": [{"similarity": "0.5", "same": True}]}, "pairs"),
        ("POST", "/v1/galleries/default/calibration", {"pairs": [{"similarity": 0.5, "same": "yes"}]}, "pairs"),
        ("POST", "/v1/galleries/default/identities/a/shots", {"embedding": [0.5], "taken_at": "1"}, "taken_at"),
        ("POST", "/v1/pose", {"image": "", "max_persons": "3"}, "max_persons"),
        ("POST", "/v1/pose", {"image": "", "render": "yes"}, "render"),
        ("POST", "/v1/pose", {"image": "", "boxes": [{"x1": "1", "y1": 2, "x2": 3, "y2": 4}]}, "boxes"),
    ],
)
def test_no_route_takes_text_for_a_number_in_json(
    client: httpx.Client, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = client.request(method, path, json=body)

    assert (answer.status_code, answer.json().get("field")) == (422, field)
    assert "valid " in answer.json()["detail"]


def test_whole_numbers_may_stand_for_others_and_others_for_whole_ones(client: httpx.Client) -> None:
    whole: dict[str, Any] = {"embedding": [1] * 384, "limit": 3.0, "filter": {"taken_from": 1}}

    assert client.post(QUERY, json=whole).status_code == 200


def test_fields_of_forms_and_addresses_are_text(client: httpx.Client, row: list[float]) -> None:
    fields = {"limit": "3", "min_version": "0", "target_fpir": "0.01", "filter": '{"taken_from": 1}'}

    by_form = client.post(QUERY, files={"image": PICTURE}, data=fields)
    by_address = client.post(QUERY, params=fields, content=PICTURE, headers={"Content-Type": "image/jpeg"})
    by_embedding = client.post(QUERY, files={"embedding": (None, json.dumps(row)), "limit": (None, "3")})

    assert [answer.status_code for answer in (by_form, by_address, by_embedding)] == [200] * 3


def test_json_in_a_form_is_as_strict_as_elsewhere(client: httpx.Client) -> None:
    texts = {"embedding": json.dumps(["0.1"] * 384), "filter": '{"taken_from": "1"}'}

    answers = {name: client.post(QUERY, files={name: (None, text)}) for name, text in texts.items()}

    assert {name: (answer.status_code, answer.json()["field"]) for name, answer in answers.items()} == {
        name: (422, name) for name in texts
    }


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_an_embedding_may_have_any_length(client: httpx.Client, row: list[float], scale: float) -> None:
    scaled = (np.array(row) * scale).tolist()

    assert client.post(QUERY, json={"embedding": scaled}).status_code == 200


@pytest.mark.parametrize("value", [b"1e999", b"-1e999", b"NaN", b"0"])
def test_an_embedding_without_a_direction_is_refused(client: httpx.Client, value: bytes) -> None:
    body = b'{"embedding": [' + b", ".join([value] * 384) + b"]}"

    answer = client.post(QUERY, content=body, headers=AS_JSON)

    assert (answer.status_code, answer.json()["field"]) == (422, "embedding")
    assert "finite and not all zero" in answer.json()["detail"]


def test_a_query_holds_as_many_embeddings_as_pictures_at_most(client: httpx.Client, row: list[float]) -> None:
    most = client.get("/v1/limits").json()["request"]["images"]

    enough = client.post(QUERY, json={"embedding": [row] * most})
    problem = client.post(QUERY, json={"embedding": [row] * (most + 1)}).json()

    assert enough.status_code == 200
    assert (problem["status"], problem["field"], problem["limit"]) == (413, "embedding", most)


@pytest.mark.parametrize(
    ("field", "text"),
    [("metadata", '{"door": 1, "door": 2}'), ("metadata", '{"a": [{"b": 1, "b": 2}]}')],
    ids=["plain", "nested"],
)
def test_a_key_that_comes_twice_in_json_of_a_form_is_refused(client: httpx.Client, field: str, text: str) -> None:
    path = "/v1/galleries/default/identities/twice/shots"

    answer = client.post(path, files={"image": PICTURE}, data={field: text})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "more than once" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (QUERY, {"files": {"image": PICTURE}, "data": {"filter": '{"camera": "a", "camera": "b"}'}}, "filter"),
        ("/v1/pose", {"files": {"image": PICTURE}, "data": {"boxes": '[{"x1": 1, "x1": 2}]'}}, "boxes"),
        (QUERY, {"content": b'{"filter": {"metadata": {"a": 1, "a": 2}}}', "headers": AS_JSON}, "filter"),
        ("/v1/galleries", {"content": b'{"name": "a", "metadata": {"b": 1, "b": 2}}', "headers": AS_JSON}, "metadata"),
        (QUERY, {"content": b'{"": {"b": 1, "b": 2}}', "headers": AS_JSON}, ""),
        (QUERY, {"content": b'{"\\ud800": 1, "\\ud800": 2}', "headers": AS_JSON}, "?"),
    ],
    ids=["filter", "boxes", "deep in JSON", "metadata in JSON", "no name", "half a character"],
)
def test_the_outermost_field_is_named_where_a_key_comes_twice(
    client: httpx.Client, path: str, body: dict[str, Any], field: str
) -> None:
    answer = client.post(path, **body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "more than once" in answer.json()["detail"]


@pytest.mark.parametrize("path", [QUERY, "/v1/galleries"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"limit": ' + b"1" * 5000 + b"}", "too many digits"),
        (b'{"limit": ' + b"[" * 100_000, "nested too deeply"),
        (b"  ", "is empty"),
        (b"{", "is not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[1, 2]", "must be a JSON object"),
    ],
    ids=["digits", "depth", "empty", "cut off", "bytes", "list"],
)
def test_a_body_that_cannot_be_read_is_told_plainly(client: httpx.Client, path: str, body: bytes, said: str) -> None:
    answer = client.post(path, content=body, headers=AS_JSON)

    assert answer.json()["field"] == "body"
    assert said in answer.json()["detail"]
    assert "set_int_max" not in answer.text


@pytest.mark.parametrize("path", [QUERY, "/v1/galleries"])
def test_a_body_that_is_not_there_is_told_plainly(client: httpx.Client, path: str) -> None:
    problem = client.post(path, headers=AS_JSON).json()

    assert (problem["field"], "is empty" in problem["detail"]) == ("body", True)


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": "abc"},
        {"filter": "abc"},
        {"filter": [1]},
        {"filter": "[1]"},
        {"filter": {"metadata": "abc"}},
        {"embedding": "[" * 100_000},
    ],
)
def test_no_word_of_the_framework_reaches_the_client(client: httpx.Client, body: dict[str, Any]) -> None:
    detail = client.post(QUERY, json=body).json()["detail"]

    assert not any(word in detail for word in ("Value error", "instance", "Filter"))
    assert "must be" in detail


@pytest.mark.parametrize("path", [QUERY, "/v1/galleries/default/identities/a/shots"])
def test_where_an_embedding_may_stand_for_pictures_it_is_said(client: httpx.Client, path: str) -> None:
    problem = client.post(path, json={}).json()

    assert problem["type"] == "/problems/no-image"
    assert "'embedding'" in problem["detail"]
