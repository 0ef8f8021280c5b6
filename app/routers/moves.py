"""Who is who, put right: renaming, merging, splitting and moving identities."""

from fastapi import APIRouter, Request

from app import openapi
from app.access.callers import Scope
from app.errors import INVALID_FIELD, ProblemError
from app.routers.access import caller_of
from app.routers.deps import Reid
from app.routers.strict import StrictRoute
from app.schemas.common import Name
from app.schemas.galleries import Destination, Merge, Moved, NewName, SomeShots

router = APIRouter(prefix="/galleries/{gallery}/identities/{identity}", tags=["galleries"], route_class=StrictRoute)


@router.post(":rename", response_model=Moved, responses=openapi.PROBLEMS)
async def rename(gallery: Name, identity: Name, new: NewName, reid: Reid) -> Moved:
    """Give an identity another id."""
    return Moved.of(await reid.in_store(reid.store.rename, gallery, identity, new.identity_id))


@router.post(":merge", response_model=Moved, responses=openapi.PROBLEMS)
async def merge(gallery: Name, identity: Name, merged: Merge, reid: Reid) -> Moved:
    """Two identities were one person: give this one all shots of the other, and drop the other."""
    _refuse_same(identity, merged.source, "source")
    return Moved.of(await reid.in_store(reid.store.merge, gallery, identity, merged.source))


@router.post(":split", response_model=Moved, responses=openapi.PROBLEMS)
async def split(gallery: Name, identity: Name, chosen: SomeShots, reid: Reid) -> Moved:
    """One identity was two people: give some of its shots to a new one."""
    _refuse_same(identity, chosen.identity_id, "identity_id")
    arguments = (gallery, identity, chosen.shot_ids, chosen.identity_id, True)
    return Moved.of(await reid.in_store(reid.store.move_shots, *arguments))


@router.post("/shots:move", response_model=Moved, responses=openapi.PROBLEMS)
async def move_shots(gallery: Name, identity: Name, chosen: SomeShots, reid: Reid) -> Moved:
    """Shots were enrolled for the wrong person: give them to another identity that is there."""
    _refuse_same(identity, chosen.identity_id, "identity_id")
    return Moved.of(await reid.in_store(reid.store.move_shots, gallery, identity, chosen.shot_ids, chosen.identity_id))


@router.post(":move", response_model=Moved, responses=openapi.PROBLEMS)
async def move(request: Request, gallery: Name, identity: Name, to: Destination, reid: Reid) -> Moved:
    """Move an identity with its shots, label and metadata to another gallery of the same checkpoint."""
    caller_of(request).require(Scope.ENROLL, to.gallery)
    _refuse_same(gallery, to.gallery, "gallery")
    return Moved.of(await reid.in_store(reid.store.transfer, gallery, identity, to.gallery))


def _refuse_same(here: str, there: str, field: str) -> None:
    if here == there:
        raise ProblemError(INVALID_FIELD, f"{field} is {there!r}, where the shots are already", field=field)
