import json
import socket
import struct
import time

import pytest

from tests.app.conftest import Server
from tests.app.pictures import encode, pattern
from tests.hostile.wire import ask, connection, head, is_closed, read_answer, send

CROP = encode(pattern())
JPEG = ("Content-Type: image/jpeg",)
TYPED = ("Content-Type: application/json",)


@pytest.mark.parametrize("path", ["/v1/reid/embed", "/v1/galleries/default/shots:batch"])
@pytest.mark.parametrize("length", [100_000_001, 10**30])
def test_a_body_that_says_it_is_too_long_is_refused_unread(impatient: Server, path: str, length: int) -> None:
    answer = send(impatient, head("POST", path, *JPEG, f"Content-Length: {length}"))

    # The parser itself refuses numbers that no machine counts to.
    assert answer.status == (413 if length < 2**64 else 400)
    assert answer.problem()["type"] in ("/problems/body-too-large", "/problems/malformed-request")


def test_who_asks_first_is_not_told_to_go_on_with_too_much(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("POST", "/v1/reid/embed", *JPEG, "Content-Length: 100000001", "Expect: 100-continue"))
        answer = read_answer(opened)

        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert is_closed(opened)


def test_who_asks_first_may_go_on_with_enough(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("POST", "/v1/reid/embed", *JPEG, f"Content-Length: {len(CROP)}", "Expect: 100-continue"))

        assert read_answer(opened).status == 100
        opened.sendall(CROP)
        assert read_answer(opened).status == 200


@pytest.mark.parametrize("path", ["/v1/galleries", "/v1/galleries/default/identities/a:merge"])
def test_json_that_grows_too_long_is_refused_while_it_comes(impatient: Server, path: str) -> None:
    def endless() -> "list[bytes]":
        return [b'{"name": "a", "label": "', *[b"x" * 65_536] * 32]

    answer = ask(impatient, "POST", path, content=iter(endless()), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["limit"]) == (413, 2_000_000)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/reid/embed", JPEG),
        ("/v1/reid/embed", ("Content-Type: multipart/form-data; boundary=b",)),
        ("/v1/galleries", TYPED),
        ("/v1/galleries/default/shots:batch", ("Content-Type: application/x-ndjson",)),
        ("/v2/models/resnet18-market1501-compact/infer", TYPED),
    ],
)
def test_a_body_that_stops_coming_is_given_up(impatient: Server, path: str, headers: tuple[str, ...]) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("POST", path, *headers, "Content-Length: 1000") + b"-")
        answer = read_answer(opened)

        assert (answer.status, answer.problem()["type"]) == (408, "/problems/body-too-slow")
        assert is_closed(opened)


def test_a_body_that_drips_is_given_up(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("POST", "/v1/reid/embed", *JPEG, "Content-Length: 1000"))
        opened.settimeout(0.05)
        sent = 0
        while sent < 1000:
            opened.sendall(b"x")
            sent += 1
            try:
                assert opened.recv(12) == b"HTTP/1.1 408"
                break
            except TimeoutError:
                continue

        assert sent < 1000


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/reid/embed", JPEG),
        ("/v1/reid/query", ("Content-Type: multipart/form-data; boundary=b",)),
        ("/v1/galleries", TYPED),
        ("/v1/galleries/default/identities/half/shots", JPEG),
    ],
)
def test_half_an_upload_leaves_nothing_behind(
    impatient: Server, path: str, headers: tuple[str, ...], reset: bool
) -> None:
    with connection(impatient) as opened:
        if reset:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        opened.sendall(head("POST", path, *headers, f"Content-Length: {len(CROP)}") + CROP[: len(CROP) // 2])

    assert _failures(impatient) == 0
    assert _admitted(impatient) == (0, 0)
    assert ask(impatient, "GET", "/v1/galleries/default/identities/half").status_code == 404


def test_text_that_is_not_utf8_is_refused(impatient: Server) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="encoding"\r\n\r\n\xff\xfe\r\n--b--\r\n'
    for content_type, body, status in [
        ("multipart/form-data; boundary=b", part, 422),
        ("multipart/form-data; boundary=b", part.replace(b'name="', b'name="\xff'), 422),
        ("application/json", b'{"encoding": "\xff\xfe"}', 400),
        ("application/json", b"\xff\xfe\x00", 400),
    ]:
        headers = {"Content-Type": content_type}
        assert ask(impatient, "POST", "/v1/reid/embed", content=body, headers=headers).status_code == status, body


@pytest.mark.parametrize(
    "sent",
    [
        {"files": [("image", CROP), ("encoding", (None, "list")), ("encoding", (None, "base64"))]},
        {"content": b'{"encoding": "list", "encoding": "base64"}', "headers": {"Content-Type": "application/json"}},
        {"content": CROP, "headers": {"Content-Type": "image/png"}, "params": [("encoding", "a"), ("encoding", "b")]},
    ],
    ids=["form", "JSON", "query"],
)
def test_a_field_that_came_twice_is_refused(impatient: Server, sent: dict[str, object]) -> None:
    answer = ask(impatient, "POST", "/v1/reid/embed", **sent)

    assert (answer.status_code, answer.json()["field"]) == (422, "encoding")
    assert "more than once" in answer.json()["detail"]


def test_a_name_within_metadata_that_came_twice_is_refused(impatient: Server) -> None:
    fields = {"metadata": json.dumps({"a": 1}), "image": "x"}
    body = json.dumps(fields).replace('"{\\"a\\": 1}"', '{"a": 1, "a": 2}').encode()
    address = "/v1/galleries/default/identities/a/shots"

    answer = ask(impatient, "POST", address, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["field"]) == (422, "metadata")


def _failures(server: Server) -> float:
    found = _metric(server, "gaitkeeper_http_requests_total")
    return sum(value for labels, value in found if 'status="500"' in labels)


def _admitted(server: Server) -> tuple[float, float]:
    """Items and bytes inside; what is on its way out is waited for."""
    for _ in range(100):
        names = ("gaitkeeper_admitted_items", "gaitkeeper_admitted_bytes")
        items, size = (sum(value for _, value in _metric(server, name)) for name in names)
        if (items, size) == (0, 0):
            break
        time.sleep(0.05)
    return items, size


def _metric(server: Server, name: str) -> list[tuple[str, float]]:
    lines = ask(server, "GET", "/metrics").text.splitlines()
    return [(line.rpartition(" ")[0], float(line.rpartition(" ")[2])) for line in lines if line.startswith(name)]
