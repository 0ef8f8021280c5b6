import asyncio
from collections.abc import Sequence

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

PAGE = "https://page.example"
ASKS_FIRST = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


def preflight(origins: Sequence[str]) -> httpx.Response:
    # Never started: what a browser asks first is answered before anything behind the edge.
    app = create_app(Settings(cors_origins=tuple(origins)))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.options("/v1/reid/embed", headers=ASKS_FIRST)

    return asyncio.run(ask())


def test_a_listed_page_may_call_the_service_with_its_key() -> None:
    answer = preflight([PAGE])

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-api-key" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


def test_another_page_may_not() -> None:
    answer = preflight(["https://other.example"])

    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


def test_origins_come_from_the_environment_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITKEEPER_CORS_ORIGINS", f"{PAGE}, https://other.example")

    assert Settings().cors_origins == (PAGE, "https://other.example")
