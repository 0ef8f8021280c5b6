import asyncio
from collections.abc import Mapping, Sequence

import httpx
from fastapi import FastAPI

from app.telemetry.metrics import Metrics
from app.telemetry.observed import Observed
from app.telemetry.stages import Stage, record


class Notebook:
    """A tracer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, list[str]]] = []

    def report(
        self, headers: Mapping[str, str], name: str, status: int, span: tuple[float, float], stages: Sequence[Stage]
    ) -> None:
        self.told.append((name, status, [stage.name for stage in stages]))


def visit(*paths: str) -> tuple[list[httpx.Response], str, Notebook]:
    metrics, notebook = Metrics(), Notebook()
    inner = FastAPI()

    @inner.get("/people/{name}")
    async def work(name: str) -> str:
        record("prepare", 1.0, 1.002)
        record("prepare", 1.0, 1.005)
        record("forward", 2.0, 2.5, batch_size=3)
        return "done"

    @inner.get("/plain")
    async def plain() -> str:
        return "done"

    async def main() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Observed(inner, metrics, notebook))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(main()), metrics.exposition().decode(), notebook


def test_answers_that_took_work_say_where_the_time_went() -> None:
    (worked, plain), _, _ = visit("/people/anna", "/plain")

    entries = dict(entry.split(";dur=") for entry in worked.headers["server-timing"].split(", "))
    assert (entries["prepare"], entries["forward"]) == ("5.000", "500.000")
    assert float(entries["total"]) > 0
    assert "server-timing" not in plain.headers


def test_requests_are_counted_by_route_and_never_by_address() -> None:
    _, exposition, _ = visit("/people/anna", "/people/bert", "/nowhere/anna")

    counted = 'gaitkeeper_http_requests_total{method="GET",route="/people/{name}",status="200"} 2.0'
    assert counted in exposition
    assert 'gaitkeeper_stage_seconds_count{route="/people/{name}",stage="prepare"} 2.0' in exposition
    assert 'route="unknown",status="404"} 1.0' in exposition
    assert "gaitkeeper_http_requests_in_flight 0.0" in exposition
    assert "anna" not in exposition


def test_a_tracer_is_told_of_every_request_and_its_stages() -> None:
    _, _, notebook = visit("/people/anna")

    assert notebook.told == [("GET /people/{name}", 200, ["prepare", "prepare", "forward"])]
