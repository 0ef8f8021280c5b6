"""The service in the test's own process and event loop, where its inside can be looked at."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings

T = TypeVar("T")


def inside(
    data_dir: Path, visit: Callable[[FastAPI, httpx.AsyncClient], Awaitable[T]], **settings: int | float | str
) -> T:
    """Run the service, give its application and a client of it to `visit`, and close it."""

    async def main() -> T:
        chosen = {"device": "cpu", "threads": 1, "max_batch": 8} | settings
        app = create_app(Settings(data_dir=data_dir, **chosen))  # type: ignore[arg-type]
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
                return await visit(app, client)

    return asyncio.run(main())
