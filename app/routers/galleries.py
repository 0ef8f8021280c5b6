"""Galleries, identities and shots: enrolling, listing, changing and erasing."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app import openapi
from app.errors import INVALID_FIELD, PROTECTED, ProblemError
from app.gallery.domain import Enrolment
from app.pipelines.reid import Crop, Embedded
from app.routers.deps import PageSize, Reid, parse_fields, problem_of, reply, upload_of
from app.runtime import DEFAULT_GALLERY
from app.schemas.common import Metadata, Name
from app.schemas.galleries import (
    Changes,
    Enrolled,
    EnrolledShot,
    ErasureReceipt,
    Gallery,
    Identity,
    IdentityPage,
    NewGallery,
    Shot,
    Shots,
)

router = APIRouter(prefix="/galleries", tags=["galleries"])

IdempotencyKey = Annotated[str | None, Header(max_length=255)]


class EnrolOptions(BaseModel):
    """Fields of an enrolment beside the pictures."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, max_length=256, description="Shown with the identity; kept if it has one.")
    camera: str | None = Field(None, max_length=128, description="Which camera saw the crops.")
    taken_at: float | None = Field(None, description="When, in seconds since 1970.", allow_inf_nan=False)
    metadata: Metadata = Field({}, description="JSON object, stored with each shot.")


@router.get("", response_model=list[Gallery], responses=openapi.PROBLEMS)
async def list_galleries(reid: Reid) -> list[Gallery]:
    """Every gallery."""
    return [Gallery.of(info) for info in await reid.in_store(reid.store.list)]


@router.post("", response_model=Gallery, status_code=201, responses=openapi.PROBLEMS)
async def create_gallery(new: NewGallery, reid: Reid) -> Gallery:
    """Create a gallery, bound to the served re-identification checkpoint."""
    checkpoint, dim = reid.checkpoint.sha256, reid.embedding_dim
    return Gallery.of(await reid.in_store(reid.store.create, new.name, checkpoint, dim, new.label, new.metadata))


@router.get("/{gallery}", response_model=Gallery, responses=openapi.PROBLEMS)
async def get_gallery(gallery: Name, reid: Reid) -> Gallery:
    """One gallery with its counts and version."""
    return Gallery.of(await reid.in_store(reid.store.info, gallery))


@router.patch("/{gallery}", response_model=Gallery, responses=openapi.PROBLEMS)
async def change_gallery(gallery: Name, changes: Changes, reid: Reid) -> Gallery:
    """Change a gallery's label or metadata."""
    return Gallery.of(await reid.in_store(reid.store.update, gallery, changes.label, changes.metadata))


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
    found = await reid.in_store(reid.store.identities, gallery, after, limit + 1)
    page, more = found[:limit], len(found) > limit
    next_cursor = _encode_cursor(page[-1].identity_id) if more else None
    return IdentityPage(identities=[Identity.of(identity) for identity in page], next_cursor=next_cursor)


@router.put("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def put_identity(gallery: Name, identity: Name, changes: Changes, reid: Reid) -> Identity:
    """Create an identity, or replace its label and metadata."""
    return Identity.of(
        await reid.in_store(reid.store.put_identity, gallery, identity, changes.label, changes.metadata or {})
    )


@router.get("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def get_identity(gallery: Name, identity: Name, reid: Reid) -> Identity:
    """One identity."""
    return Identity.of(await reid.in_store(reid.store.identity, gallery, identity))


@router.patch("/{gallery}/identities/{identity}", response_model=Identity, responses=openapi.PROBLEMS)
async def change_identity(gallery: Name, identity: Name, changes: Changes, reid: Reid) -> Identity:
    """Change an identity's label or metadata."""
    return Identity.of(
        await reid.in_store(reid.store.update_identity, gallery, identity, changes.label, changes.metadata)
    )


@router.delete("/{gallery}/identities/{identity}", response_model=ErasureReceipt, responses=openapi.PROBLEMS)
async def delete_identity(gallery: Name, identity: Name, reid: Reid) -> ErasureReceipt:
    """Erase an identity with all its shots; the receipt says what went."""
    return ErasureReceipt.of(await reid.in_store(reid.store.delete_identity, gallery, identity))


@router.post(
    "/{gallery}/identities/{identity}/shots",
    **openapi.upload(EnrolOptions, Enrolled, files=("image",), status=201),
)
async def enrol(
    request: Request, gallery: Name, identity: Name, reid: Reid, idempotency_key: IdempotencyKey = None
) -> Response:
    """Enrol 1..N crops of one person; the identity is created if it is new.

    What is answered `created` is on disk. The same bytes sent again are the same shot (`duplicate`).
    """
    upload = await upload_of(request)
    options = parse_fields(EnrolOptions, upload.fields)
    await reid.in_store(reid.store.info, gallery)  # an unknown gallery should not cost a forward pass
    embedded = await reid.embed(upload.images())
    enrolment = await reid.enrol(
        gallery,
        identity,
        embedded.crops(),
        label=options.label,
        camera=options.camera,
        taken_at=options.taken_at,
        metadata=options.metadata,
        idempotency_key=(idempotency_key or "").strip() or None,  # an unset variable of a client is no key
    )
    created = any(shot.status == "created" for shot in enrolment.shots)
    return reply(_enrolled(request, embedded, enrolment), 201 if created else 200)


@router.get("/{gallery}/identities/{identity}/shots", response_model=Shots, responses=openapi.PROBLEMS)
async def list_shots(gallery: Name, identity: Name, reid: Reid) -> Shots:
    """An identity's shots, oldest first."""
    shots = await reid.in_store(reid.store.shots, gallery, identity)
    return Shots(identity_id=identity, shots=[Shot.of(shot) for shot in shots])


@router.delete(
    "/{gallery}/identities/{identity}/shots/{shot}", response_model=ErasureReceipt, responses=openapi.PROBLEMS
)
async def delete_shot(gallery: Name, identity: Name, shot: Name, reid: Reid) -> ErasureReceipt:
    """Erase one shot."""
    return ErasureReceipt.of(await reid.in_store(reid.store.delete_shot, gallery, identity, shot))


def _enrolled(request: Request, embedded: Embedded, enrolment: Enrolment) -> Enrolled:
    stored = iter(enrolment.shots)
    shots = []
    for index, item in enumerate(embedded.items):
        if isinstance(item, Crop):
            shot = next(stored)
            shots.append(EnrolledShot(index=index, status=shot.status, shot_id=shot.shot_id))
        else:
            shots.append(EnrolledShot(index=index, status="error", problem=problem_of(item, request)))
    return Enrolled(identity_id=enrolment.identity_id, shots=shots, gallery_version=enrolment.gallery_version)


def _encode_cursor(identity_id: str) -> str:
    return base64.urlsafe_b64encode(identity_id.encode()).decode()


def _decode_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise ProblemError(INVALID_FIELD, "cursor is not one that this service gave out", field="cursor") from None
