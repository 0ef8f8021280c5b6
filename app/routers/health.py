"""Liveness, readiness, metrics, limits, and what is served. None of it waits for a network."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from app import openapi
from app.access.callers import Scope
from app.errors import NOT_READY, ProblemError
from app.routers.access import needs
from app.routers.deps import Running
from app.schemas.service import Limits, Model, Models
from models.runtimes.selection import runtime_of

router = APIRouter(tags=["service"])

CHECK_AGAIN = {"Retry-After": "10"}
LEAVING = "the service was told to end; connect to another one"


class Health(BaseModel):
    """A word on how the service is."""

    status: str


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health(status="alive")


@router.get("/readyz", response_model=Health, responses=openapi.PROBLEMS)
async def readyz(request: Request, runtime: Running) -> Health:
    """The galleries are open, and every network computed its golden sample within tolerance, a moment ago."""
    if request.app.state.leaving:
        raise ProblemError(NOT_READY, LEAVING, headers=CHECK_AGAIN)
    if runtime.operations.canary.problems:
        detail = "; ".join(f"{name} {problem}" for name, problem in sorted(runtime.operations.canary.problems.items()))
        raise ProblemError(NOT_READY, detail, headers=CHECK_AGAIN)
    await asyncio.to_thread(runtime.reid.store.list)
    return Health(status="ready")


@router.get("/metrics", dependencies=[needs(Scope.ADMIN)], **openapi.TEXT)
async def metrics(runtime: Running) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    # Gallery sizes come from disk, so not on the event loop; not in the galleries' threads either, which may be busy.
    return Response(
        await asyncio.to_thread(runtime.operations.metrics.exposition), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


@router.get("/limits", response_model=Limits)
async def limits(runtime: Running) -> Limits:
    """What one request may carry, and how much the service takes in at once."""
    return Limits.of(runtime.settings, max(network.batcher.max_batch for network in runtime.networks))


@router.get("/models", response_model=Models)
async def models(runtime: Running) -> Models:
    """The served checkpoints: what computes them, what they were trained on and under which licence."""
    precision = runtime.settings.precision
    served = [Model.of(one.checkpoint, runtime_of(one.predictor.network), precision) for one in runtime.networks]
    return Models(device=runtime.device, models=served)
