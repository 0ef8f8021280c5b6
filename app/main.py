"""The application: routers, error handlers, lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from app.gallery.errors import GalleryError
from app.handlers import install_handlers
from app.routers import galleries, health, reid
from app.runtime import open_runtime
from app.settings import Settings
from app.telemetry import RequestIds
from models.checkpoint import CheckpointError


def create_app(settings: Settings) -> FastAPI:
    """Build the service; networks load and galleries open when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_runtime(settings) as runtime:
                app.state.runtime = runtime
                yield
        except (CheckpointError, GalleryError, OSError, ValueError) as error:
            app.state.startup_problem = str(error)
            raise

    app = FastAPI(
        title="Gaitkeeper",
        summary="Who is this person, how do they stand, how old is their gait?",
        version="0.1.0",
        lifespan=lifespan,
        redoc_url=None,
    )
    install_handlers(app)
    app.add_middleware(RequestIds)
    _include(app, reid.router)
    _include(app, galleries.router)
    _include(app, health.router)
    return app


def _include(app: FastAPI, router: APIRouter) -> None:
    """Serve a router under /v1, and under the bare paths as permanent aliases."""
    app.include_router(router, prefix="/v1")
    app.include_router(router, include_in_schema=router is health.router)
