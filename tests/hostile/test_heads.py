import re

import pytest

from app.edge.protocol import HEAD_BYTES
from tests.app.conftest import Server
from tests.hostile.wire import connection, head, is_closed, read_all, read_answer, send


@pytest.mark.parametrize(
    "request_head",
    [
        head("GET", "/healthz", f"X-Long: {'x' * HEAD_BYTES}"),
        head("GET", "/healthz", *(f"X-{number}: {'x' * 100}" for number in range(HEAD_BYTES // 100))),
        head("GET", f"/healthz?{'x' * HEAD_BYTES}"),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * 4 * HEAD_BYTES,
    ],
    ids=["one header", "many headers", "address", "endless header"],
)
def test_a_head_that_is_too_large_is_refused(impatient: Server, request_head: bytes) -> None:
    answer = send(impatient, request_head)

    assert (answer.status, answer.problem()["type"]) == (431, "/problems/head-too-large")
    assert str(HEAD_BYTES) in answer.problem()["detail"]


def test_a_large_head_within_the_limit_is_read(impatient: Server) -> None:
    assert send(impatient, head("GET", "/healthz", f"X-Long: {'x' * (HEAD_BYTES - 1000)}")).status == 200


@pytest.mark.parametrize(
    "request_head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET /healthz\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nBad Header: 1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Null: a\x00b\r\n\r\n",
    ],
    ids=[
        "TLS",
        "nonsense",
        "address",
        "header",
        "negative",
        "two lengths",
        "smuggling",
        "superscript",
        "proxy",
        "null",
    ],
)
def test_what_is_no_http_request_is_a_problem(impatient: Server, request_head: bytes) -> None:
    with connection(impatient) as opened:
        opened.sendall(request_head)
        answer = read_answer(opened)

        assert (answer.status, answer.problem()["type"]) == (400, "/problems/malformed-request")
        assert is_closed(opened)


@pytest.mark.parametrize("header", ["X-API-Key: \xff\xfe", "X-Request-Id: \xff", "Accept: \xff", "Priority: \xb2"])
def test_headers_that_are_not_text_do_no_harm(impatient: Server, header: str) -> None:
    assert send(impatient, head("GET", "/v1/models", header)).status == 200


@pytest.mark.parametrize("header", ["X-Deadline-Ms: \xb2", "X-Deadline-Ms: nan", "Idempotency-Key: " + "x" * 256])
def test_headers_out_of_range_are_refused(impatient: Server, header: str) -> None:
    address = "/v1/galleries/default/identities/a/shots"
    answer = send(impatient, head("POST", address, header, "Content-Type: image/png", "Content-Length: 0"))

    assert (answer.status, answer.problem()["type"]) == (422, "/problems/invalid-field")


@pytest.mark.parametrize(
    "path", ["/v1/galleries/%ff%fe", "/v1/galleries/%00", "/v1/galleries/..%2f..%2fetc", "/%e2%82"]
)
def test_addresses_that_are_not_text_lead_nowhere(impatient: Server, path: str) -> None:
    assert send(impatient, head("GET", path)).problem()["status"] in (404, 422)


def test_an_unknown_protocol_to_change_to_is_ignored(impatient: Server) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")

    assert send(impatient, head("GET", "/healthz", *upgrade)).status == 200


def test_requests_sent_at_once_are_answered_in_order(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("GET", "/healthz") + head("GET", "/nowhere") + head("GET", "/readyz", "Connection: close"))

        assert re.findall(rb"HTTP/1.1 (\d+)", read_all(opened)) == [b"200", b"404", b"200"]
