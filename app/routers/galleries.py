"""Galleries, identities and shots: listing, changing and erasing."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app import openapi
from app.access.callers import Scope
from app.errors import INVALID_FIELD, PROTECTED, ProblemError
from app.gallery import domain
from app.pipelines.gate import QualityGate
from app.pipelines.reid import ReidPipeline
from app.routers.access import caller_of, needs
from app.routers.deps import PageSize, Reid, Running
from app.routers.strict import StrictRoute
from app.runtime import DEFAULT_GALLERY
from app.schemas.common import Name
from app.schemas.galleries import (
    Changes,
    ErasureReceipt,
    ExportedIdentity,
    Gallery,
    GalleryChanges,
    Identity,
    IdentityPage,
    NewGallery,
    Shot,
    Shots,
)
from app.schemas.gallery_stats import GalleryStats

router = APIRouter(prefix="/galleries", tags=["galleries"], route_class=StrictRoute)


@router.get("", response_model=list[Gallery], responses=openapi.PROBLEMS)
async def list_galleries(request: Request, reid: Reid) -> list[Gallery]:
    """Every gallery that the caller may know of."""
    caller = caller_of(request)
    return [Gallery.of(info) for info in await reid.in_store(reid.store.list) if caller.sees(info.name)]


@router.post("", response_model=Gallery, status_code=201, responses=openapi.PROBLEMS)
async def create_gallery(new: NewGallery, reid: Reid, runtime: Running) -> Gallery:
    """Create a gallery, bound to the served re-identification checkpoint."""
    QualityGate(reid, runtime.pose, new.quality).require_network()
    checkpoint, dim = reid.checkpoint.sha256, reid.embedding_dim
    arguments = (new.name, checkpoint, dim, new.label, new.metadata, domain.Retention(new.ttl_seconds), new.quality)
    return Gallery.of(await reid.in_store(reid.store.create, *arguments))


@router.get("/{gallery}", response_model=Gallery, responses=openapi.PROBLEMS)
async def get_gallery(gallery: Name, reid: Reid) -> Gallery:
    """One gallery with its counts and version."""
    return Gallery.of(await reid.in_store(reid.store.info, gallery))


@router.get("/{gallery}/stats", response_model=GalleryStats, responses=openapi.PROBLEMS)
async def get_gallery_stats(gallery: Name, reid: Reid) -> GalleryStats:
    """How large a gallery is, of which kind its index is, and how well that finds."""
    return GalleryStats.of(await reid.in_store(reid.store.stats, gallery))


@router.patch("/{gallery}", response_model=Gallery, responses=openapi.PROBLEMS)
async def change_gallery(gallery: Name, changes: GalleryChanges, reid: Reid, runtime: Running) -> Gallery:
    """Change a gallery's label, metadata, how long it keeps shots, or what it asks of crops."""
    QualityGate(reid, runtime.pose, changes.quality or "off").require_network()
    arguments = (gallery, changes.label, changes.metadata, changes.retention(), changes.quality)
    return Gallery.of(await reid.in_store(reid.store.update, *arguments))


@router.delete("/{gallery}", response_model=ErasureReceipt, responses=openapi.PROBLEMS)
async def delete_gallery(gallery: Name, reid: Reid) -> ErasureReceipt:
    """Erase a gallery with everyone in it."""
    if gallery == DEFAULT_GALLERY:
        raise ProblemError(PROTECTED, "the gallery 'default' always exists; erase its identities", field="gallery")
    return ErasureReceipt.of(await reid.in_store(reid.store.delete, gallery))


@router.get("/{gallery}/identities", response_model=IdentityPage, responses=openapi.PROBLEMS)
async def list_identities(
    gallery: Name, reid: Reid, limit: PageSize = 100, cursor: Annotated[str | None, Query()] = None
) -> IdentityPage:
    """A gallery's identities, a page at a time."""
    after = _decode_cursor(cursor) if cursor else None
    version = (await reid.in_store(reid.store.info, gallery)).version
    found = await reid.in_store(reid.store.identities, gallery, after, limit + 1)
    page, more = found[:limit], len(found) > limit
    next_cursor = _encode_cursor(page[-1].identity_id) if more else None
    identities = [Identity.of(identity, version) for identity in page]
    return IdentityPage(identities=identities, next_cursor=next_cursor, gallery_version=version)


@router.put("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def put_identity(gallery: Name, identity: Name, changes: Changes, reid: Reid) -> Identity:
    """Create an identity, or replace its label and metadata."""
    arguments = (gallery, identity, changes.label, changes.metadata or {})
    return await _versioned(reid, gallery, reid.store.put_identity, *arguments)


@router.get("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def get_identity(gallery: Name, identity: Name, reid: Reid) -> Identity:
    """One identity."""
    return await _versioned(reid, gallery, reid.store.identity, gallery, identity)


@router.patch("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def change_identity(gallery: Name, identity: Name, changes: Changes, reid: Reid) -> Identity:
    """Change an identity's label or metadata."""
    arguments = (gallery, identity, changes.label, changes.metadata)
    return await _versioned(reid, gallery, reid.store.update_identity, *arguments)


@router.delete("/{gallery}/identities/{identity}", response_model=ErasureReceipt, responses=openapi.PROBLEMS)
async def delete_identity(gallery: Name, identity: Name, reid: Reid) -> ErasureReceipt:
    """Erase an identity with all its shots; the receipt says what went."""
    return ErasureReceipt.of(await reid.in_store(reid.store.delete_identity, gallery, identity))


@router.get(
    "/{gallery}/identities/{identity}/export",
    response_model=ExportedIdentity,
    responses=openapi.PROBLEMS,
    dependencies=[needs(Scope.ADMIN)],
)
async def export_identity(gallery: Name, identity: Name, reid: Reid) -> ExportedIdentity:
    """All that is kept about one identity, embeddings included."""
    info = await reid.in_store(reid.store.info, gallery)
    return ExportedIdentity.of(await reid.in_store(reid.store.export, gallery, identity), info)


@router.get("/{gallery}/identities/{identity}/shots", response_model=Shots, responses=openapi.PROBLEMS)
async def list_shots(gallery: Name, identity: Name, reid: Reid) -> Shots:
    """An identity's shots, oldest first."""
    version = (await reid.in_store(reid.store.info, gallery)).version
    shots = await reid.in_store(reid.store.shots, gallery, identity)
    return Shots(identity_id=identity, shots=[Shot.of(shot) for shot in shots], gallery_version=version)


@router.delete(
    "/{gallery}/identities/{identity}/shots/{shot}", response_model=ErasureReceipt, responses=openapi.PROBLEMS
)
async def delete_shot(gallery: Name, identity: Name, shot: Name, reid: Reid) -> ErasureReceipt:
    """Erase one shot."""
    return ErasureReceipt.of(await reid.in_store(reid.store.delete_shot, gallery, identity, shot))


async def _versioned(
    reid: ReidPipeline, gallery: str, call: Callable[..., domain.Identity], *arguments: object
) -> Identity:
    # Asked before, so that the answer never claims a version that it does not show.
    version = (await reid.in_store(reid.store.info, gallery)).version
    return Identity.of(await reid.in_store(call, *arguments), version)


def _encode_cursor(identity_id: str) -> str:
    return base64.urlsafe_b64encode(identity_id.encode()).decode()


def _decode_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise ProblemError(INVALID_FIELD, "cursor is not one that this service gave out", field="cursor") from None
