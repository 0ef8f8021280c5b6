"""The application: routers, error handlers, lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import openapi
from app.access.callers import Scope
from app.access.middleware import Access
from app.edge.answers import Answers
from app.edge.bodies import Bodies
from app.edge.failures import Failures
from app.edge.methods import METHODS
from app.gallery.errors import GalleryError
from app.handlers import install_handlers, refusal
from app.routers import calibration, enrolment, gait, galleries, health, inference, moves, pose, reid
from app.routers.access import KEYS, needs, needs_by_method
from app.routers.admission import DEADLINE, Overflow, Stays
from app.routers.queries import KNOWN_QUERY
from app.runtime import open_runtime
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observed import Observed
from app.telemetry.request_ids import REQUEST_ID, RequestIds
from models.checkpoint import CheckpointError
from models.detectors.base import DetectorError

if TYPE_CHECKING:
    from app.telemetry.traces import SpanTracer


def create_app(settings: Settings) -> FastAPI:
    """Build the service; networks load and galleries open when it starts."""
    metrics, tracer = Metrics(), _open_tracer(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_runtime(settings, metrics) as runtime:
                app.state.runtime = runtime
                yield
        except (CheckpointError, DetectorError, GalleryError, OSError, ValueError) as error:
            app.state.startup_problem = str(error)
            raise
        finally:
            if tracer is not None:
                tracer.close()

    app = FastAPI(
        title="Gaitkeeper",
        summary="Who is this person, how do they stand, how old is their gait?",
        version="0.1.0",
        lifespan=lifespan,
        openapi_tags=openapi.TAGS,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[KNOWN_QUERY],
    )
    app.state.leaving = False
    install_handlers(app)
    app.add_middleware(Stays)
    app.add_middleware(Bodies, max_bytes=settings.max_body_bytes, patience_seconds=settings.patience_seconds)
    app.add_middleware(Access, doorway=lambda: app.state.runtime.doorway)
    app.add_middleware(Failures)
    app.add_middleware(Observed, metrics=metrics, tracer=tracer)
    app.add_middleware(Overflow, refuse=refusal)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    app.add_middleware(Answers, is_leaving=lambda: app.state.leaving)
    app.add_middleware(RequestIds)
    _include(app, reid.router, *KEYS)
    for router in (pose.router, gait.router):
        _include(app, router, *KEYS, needs(Scope.INFER))
    for router in (galleries.router, enrolment.router, moves.router, calibration.router):
        _include(app, router, *KEYS, needs_by_method())
    _include(app, health.router)
    app.include_router(inference.router, dependencies=[*KEYS, needs(Scope.INFER)])
    return app


def _allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "Priority",
            "X-API-Key",
            DEADLINE,
            REQUEST_ID,
        ],
        expose_headers=["Retry-After", "Server-Timing", REQUEST_ID],
    )


def _open_tracer(settings: Settings) -> "SpanTracer | None":
    if settings.traces == "off":
        return None
    # The packages of tracing are an extra.
    from app.telemetry.traces import open_tracer

    return open_tracer(settings.traces, settings.traces_endpoint)


def _include(app: FastAPI, router: APIRouter, *dependencies: Any) -> None:  # noqa: ANN401  fastapi types them so
    """Serve a router under /v1, and under the bare paths as permanent aliases."""
    app.include_router(router, prefix="/v1", dependencies=dependencies)
    app.include_router(router, dependencies=dependencies, include_in_schema=router is health.router)
