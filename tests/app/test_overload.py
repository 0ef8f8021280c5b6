"""What happens when far more comes than can be done."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.samples import sample_crops
from tests.app.inside import inside
from tests.app.pictures import encode, pattern

JPEG = sample_crops(1, 1)[0].jpeg
EMBED = "/v1/reid/embed"


@pytest.mark.parametrize(
    ("in_all", "status", "problem"), [(6, 503, "overloaded"), (12, 429, "too-many-requests")], ids=["all", "one client"]
)
def test_refusals_come_at_once_and_all_that_is_let_in_is_answered(
    tmp_path: Path, in_all: int, status: int, problem: str
) -> None:
    order: list[int] = []

    async def send(client: httpx.AsyncClient) -> httpx.Response:
        answer = await client.post(EMBED, files={"image": JPEG})
        order.append(answer.status_code)
        return answer

    async def visit(app: FastAPI, client: httpx.AsyncClient) -> list[httpx.Response]:
        answers = list(await asyncio.gather(*(send(client) for _ in range(120))))
        answers.append(await client.post(EMBED, files={"image": JPEG}))
        operations = app.state.runtime.operations
        assert (operations.admission.items, operations.admission.bytes) == (0, 0)
        assert (await client.get("/readyz")).status_code == 200
        return answers

    answers = inside(tmp_path, visit, max_waiting=in_all, max_waiting_per_client=6)

    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {200, status}
    assert counts[200] >= 6
    assert answers[-1].status_code == 200  # it recovers at once
    assert order[:100] == [status] * 100  # before the first forward pass is over
    refused = next(answer for answer in answers if answer.status_code == status)
    assert refused.json()["type"] == f"/problems/{problem}"
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert int(refused.headers["retry-after"]) >= 1


def test_health_metrics_and_erasing_do_not_queue_behind_inference(tmp_path: Path) -> None:
    async def visit(app: FastAPI, client: httpx.AsyncClient) -> tuple[list[int], bool]:
        work = [asyncio.create_task(client.post(EMBED, files={"image": JPEG})) for _ in range(60)]
        await asyncio.sleep(0)
        person = "/v1/galleries/default/identities/anna"
        answers = [await client.put(person, json={}), await client.delete(person)]
        answers += [await client.get(path) for path in ("/healthz", "/readyz", "/metrics", "/v1/limits")]
        still_working = not all(task.done() for task in work)
        await asyncio.gather(*work)
        return [answer.status_code for answer in answers], still_working

    statuses, still_working = inside(tmp_path, visit, max_batch=1)

    assert statuses == [200] * 6
    assert still_working


def test_the_event_loop_stays_free_while_large_pictures_are_worked_on(tmp_path: Path) -> None:
    picture = encode(pattern(3000, 3000), "JPEG")

    async def longest_gap(until: "asyncio.Task[list[httpx.Response]]") -> float:
        gap, last = 0.0, time.perf_counter()
        while not until.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gap, last = max(gap, now - last), now
        return gap

    async def visit(app: FastAPI, client: httpx.AsyncClient) -> tuple[float, list[int]]:
        files = [("image", picture)] * 6

        async def send() -> list[httpx.Response]:
            return list(await asyncio.gather(*(client.post(EMBED, files=files) for _ in range(2))))

        work = asyncio.create_task(send())
        return await longest_gap(work), [answer.status_code for answer in await work]

    gap, statuses = inside(tmp_path, visit)

    assert statuses == [200] * 2
    assert gap < 1  # a loop that decodes would stand still for seconds


def test_a_request_whose_client_leaves_is_dropped(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def visit(app: FastAPI, client: httpx.AsyncClient) -> tuple[int, str]:
        request = client.build_request("POST", EMBED, files={"image": JPEG})
        body = await request.aread()
        messages: list[Message] = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(name.lower(), value) for name, value in request.headers.raw]
        scope = {"type": "http", "method": "POST", "path": EMBED, "query_string": b"", "headers": headers}
        await app(scope | {"client": ("10.0.0.1", 1), "http_version": "1.1", "scheme": "http"}, receive, send)
        return app.state.runtime.operations.admission.items, (await client.get("/metrics")).text

    items, metrics = inside(tmp_path, visit)

    assert (sent, items) == ([], 0)
    assert 'status="499"' in metrics


def test_a_network_that_is_ill_makes_the_service_not_ready(tmp_path: Path) -> None:
    async def visit(app: FastAPI, client: httpx.AsyncClient) -> list[httpx.Response]:
        runtime = app.state.runtime
        name = runtime.networks[0].checkpoint.name
        runtime.networks[0].golden[:] = -runtime.networks[0].golden
        await runtime.operations.canary.check(name)
        paths = ("/readyz", "/v2/health/ready", f"/v2/models/{name}/ready", "/healthz", "/metrics")
        return [await client.get(path) for path in paths]

    ready, v2_ready, model_ready, alive, metrics = inside(tmp_path, visit)

    assert [answer.status_code for answer in (ready, v2_ready, model_ready, alive)] == [503, 503, 503, 200]
    assert ready.json()["type"] == "/problems/not-ready"
    assert "does not reproduce its golden sample" in ready.json()["detail"]
    assert "gaitkeeper_network_ready{" in metrics.text
    assert "} 0.0" in next(line for line in metrics.text.splitlines() if line.startswith("gaitkeeper_network_ready{"))
