"""Liveness, readiness, and what is served."""

from fastapi import APIRouter
from pydantic import BaseModel

from app import openapi
from app.errors import NOT_READY, ProblemError
from app.routers.deps import Running
from app.schemas.service import Model, Models

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """A word on how the service is."""

    status: str


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health(status="alive")


@router.get("/readyz", response_model=Health, responses=openapi.PROBLEMS)
async def readyz(runtime: Running) -> Health:
    """The gallery is open, and the network has just computed its golden sample within tolerance."""
    await runtime.reid.in_store(runtime.reid.store.list)
    if not await runtime.golden.passes():
        raise ProblemError(NOT_READY, "a network does not reproduce its golden sample", headers={"Retry-After": "10"})
    return Health(status="ready")


@router.get("/models", response_model=Models)
async def models(runtime: Running) -> Models:
    """The served checkpoints, what they were trained on and under which licence."""
    return Models(device=runtime.device, models=[Model.of(checkpoint) for checkpoint in runtime.served])
