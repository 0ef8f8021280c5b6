"""The client against a real server, and against one that misbehaves."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from gaitkeeper import AsyncClient, Client, ProblemError, Retry, UnreachableError
from tests.app.conftest import Server
from tests.app.pictures import encode, pattern

QUICK = Retry(attempts=3, first_seconds=0.001)
EMPTY = b'{"device": "cpu", "models": []}'


@pytest.fixture
def gaitkeeper(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


@pytest.fixture
def gallery(gaitkeeper: Client) -> str:
    return gaitkeeper.create_gallery(f"g-{uuid4().hex}").name


@contextmanager
def answering(replies: Sequence[tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these replies in turn; yields its URL and the requests that it saw."""
    waiting, seen = list(replies), []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append(f"{self.command} {self.headers.get('Idempotency-Key', '')}".strip())
            status, headers, body = waiting.pop(0)
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            del arguments

    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{site.server_port}", seen
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


def test_a_gallery_is_made_with_its_rules(gaitkeeper: Client) -> None:
    made = gaitkeeper.create_gallery(f"g-{uuid4().hex}", ttl_seconds=3600, quality="warn")

    assert (made.ttl_seconds, made.quality) == (3600, "warn")


def test_a_person_is_enrolled_found_listed_and_erased(gaitkeeper: Client, gallery: str, tmp_path: Path) -> None:
    (tmp_path / "anna.jpg").write_bytes(encode(pattern()))

    enrolled = gaitkeeper.enrol("anna", [tmp_path / "anna.jpg"], gallery, camera="c1")
    answer = gaitkeeper.query([encode(pattern())], gallery, limit=3)

    assert [shot.status for shot in enrolled.shots] == ["created"]
    assert [found.identity_id for found in answer.identities] == ["anna"]
    assert answer.identities[0].best_shot.camera == "c1"
    assert [identity.identity_id for identity in gaitkeeper.identities(gallery)] == ["anna"]
    assert len(gaitkeeper.shots("anna", gallery).shots) == 1
    assert gaitkeeper.erase_identity("anna", gallery).shot_ids == [enrolled.shots[0].shot_id]
    assert gaitkeeper.gallery(gallery).identities == 0


def test_a_refusal_names_field_and_limit(gaitkeeper: Client) -> None:
    with pytest.raises(ProblemError) as caught:
        gaitkeeper.query([b"no picture"])

    assert (caught.value.status, caught.value.field) == (422, "image")
    assert caught.value.request_id


def test_many_crops_are_embedded_in_several_requests_in_order(gaitkeeper: Client) -> None:
    crops = [encode(pattern(64, 32 + 8 * i)) for i in range(5)]

    embedded = list(gaitkeeper.embed_all(crops, per_request=2))

    assert [found.index for found in embedded] == [0, 1, 2, 3, 4]
    assert all(found.embedding for found in embedded)


async def _enrol_many(url: str, gallery: str) -> list[str]:
    people = {f"p{i}": [encode(pattern(64, 32 + 8 * i))] for i in range(4)} | {"broken": [b"no picture"]}
    async with AsyncClient(url) as client:
        outcomes = await client.enrol_all(people, gallery, at_once=3)
        found = [identity.identity_id async for identity in client.identities(gallery)]
    assert [isinstance(outcome, ProblemError) for outcome in outcomes] == [False] * 4 + [True]
    return found


def test_many_people_are_enrolled_at_once_and_one_refusal_stands_alone(server: Server, gallery: str) -> None:
    assert asyncio.run(_enrol_many(server.url, gallery)) == ["p0", "p1", "p2", "p3"]


@pytest.mark.parametrize("refusal", [(503, {"retry-after": "0"}, b""), (429, {}, b"{}"), (502, {}, b""), (0, {}, b"")])
def test_what_can_be_sent_again_is_sent_again(refusal: tuple[int, dict[str, str], bytes]) -> None:
    with answering([refusal, refusal, (200, {}, EMPTY)]) as (url, seen), Client(url, retry=QUICK) as client:
        assert client.models().device == "cpu"

    assert len(seen) == 3


def test_an_enrolment_is_repeated_under_the_same_key() -> None:
    done = b'{"identity_id": "a", "shots": [], "gallery_version": 1}'
    with answering([(0, {}, b""), (200, {}, done)]) as (url, seen), Client(url, retry=QUICK) as client:
        client.enrol("a", [b"x"])

    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_an_erasure_that_may_have_happened_is_not_repeated() -> None:
    with answering([(0, {}, b"")]) as (url, seen), Client(url, retry=QUICK) as client, pytest.raises(UnreachableError):
        client.erase_identity("a")

    assert seen == ["DELETE"]


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for() -> None:
    busy = (503, {"retry-after": "3600"}, b'{"title": "busy"}')
    with (
        answering([busy]) as (url, seen),
        Client(url, retry=QUICK) as client,
        pytest.raises(ProblemError) as caught,
    ):
        client.models()

    assert caught.value.retry_after == 3600
    assert len(seen) == 1


def test_gait_takes_one_kind_of_input() -> None:
    with Client() as client, pytest.raises(ValueError, match="not silhouettes and gei"):
        client.gait_age(silhouettes=b"", gei=b"")
