import asyncio

import httpx

from app.main import create_app
from app.settings import Settings


def test_an_answer_to_what_nobody_foresaw_is_like_all_others() -> None:
    # Never started: there is nobody to ask for keys.
    app = create_app(Settings())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/v1/galleries", headers={"X-Request-Id": "mine"})

    answer = asyncio.run(ask())

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine"
    assert answer.headers["x-content-type-options"] == "nosniff"
