import contextlib
import re
import resource
import socket
import time

from app.edge.protocol import most_connections
from tests.app.conftest import Server
from tests.hostile.wire import ask, connection, head, is_closed, read_answer, send

IDLE = 1000


def test_a_head_that_does_not_come_is_given_up(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        answer = read_answer(opened)

        assert (answer.status, answer.problem()["type"]) == (408, "/problems/head-too-slow")
        assert is_closed(opened)


def test_a_head_that_drips_is_given_up(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.settimeout(0.05)
        answered = b""
        for number in range(200):
            opened.sendall(f"X-{number}: 1\r\n".encode() if number else b"GET /healthz HTTP/1.1\r\n")
            with contextlib.suppress(TimeoutError):
                answered = opened.recv(12)
                break

        assert answered == b"HTTP/1.1 408"


def test_a_connection_that_asks_nothing_is_closed(impatient: Server) -> None:
    with connection(impatient) as opened:
        assert is_closed(opened)


def test_empty_lines_do_not_keep_a_connection(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("GET", "/healthz"))
        assert read_answer(opened).status == 200
        opened.sendall(b"\r\n")

        assert is_closed(opened)


def test_the_rest_of_a_refused_body_does_not_keep_a_connection(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(head("POST", "/nowhere", "Content-Length: 1000") + b"x")
        assert read_answer(opened).status == 404

        assert is_closed(opened)


def test_a_client_that_does_not_read_is_cut_off(impatient: Server) -> None:
    before = _open_files(impatient)
    with connection(impatient) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            opened.sendall(head("GET", "/openapi.json") * 400)

        assert _comes_down_to(before, impatient)


def test_thousands_of_idle_connections_do_not_keep_others_out(impatient: Server) -> None:
    with contextlib.ExitStack() as idle:
        connections = []
        for _ in range(IDLE):
            connections.append(idle.enter_context(connection(impatient)))
            connections[-1].sendall(head("GET", "/nowhere"))
        assert {read_answer(opened).status for opened in connections} == {404}

        assert send(impatient, head("GET", "/readyz")).status == 200
        connections[0].sendall(head("GET", "/readyz"))
        assert read_answer(connections[0]).status == 200


def test_more_connections_than_files_allow_are_refused_with_a_problem(impatient: Server) -> None:
    process, allowed = impatient.process.pid, resource.prlimit(impatient.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (_open_files(impatient) + 20, allowed[1]))
    try:
        with contextlib.ExitStack() as idle:
            opened = [idle.enter_context(connection(impatient)) for _ in range(200)]
            refused = [one for one in opened if _is_refused(one)]

            assert refused
            assert ask(impatient, "GET", "/readyz").status_code in (200, 503)
    finally:
        resource.prlimit(process, resource.RLIMIT_NOFILE, allowed)
    assert ask(impatient, "GET", "/readyz").status_code == 200


def test_connections_leave_files_to_the_rest_of_the_service() -> None:
    assert 0 < most_connections() < resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _is_refused(opened: socket.socket) -> bool:
    opened.settimeout(0.01)
    try:
        return opened.recv(12) == b"HTTP/1.1 503"
    except TimeoutError:
        return False


def _open_files(server: Server) -> int:
    text = ask(server, "GET", "/metrics").text
    return int(float(re.findall(r"^process_open_fds (\S+)", text, re.MULTILINE)[0]))


def _comes_down_to(files: int, server: Server) -> bool:
    for _ in range(200):
        if _open_files(server) <= files:
            return True
        time.sleep(0.05)
    return False
