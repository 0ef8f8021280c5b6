"""Enrolling: crops of one person, or many people at once."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from app import openapi
from app.bulk import BulkLimits, Line, read_bulk
from app.errors import INVALID_FIELD, ProblemError
from app.gallery.domain import Enrolment
from app.gallery.idempotency import Once
from app.pipelines.enrolment import BulkItem, Outcome, Stored, enrol_batch, note_of
from app.pipelines.gate import QualityGate
from app.pipelines.reid import Crop, Embedded, ReidPipeline, Timings
from app.routers.admission import carries, let_in
from app.routers.deps import Reid, Running, parse_fields, problem_of, reply, upload_of
from app.routers.reid import unit_rows
from app.runtime import Runtime
from app.schemas.common import Name
from app.schemas.enrolment import BulkEnrolled, BulkLine, BulkShot, EnrolOptions
from app.schemas.galleries import Enrolled, EnrolledShot
from app.uploads import Upload, read_body

router = APIRouter(prefix="/galleries", tags=["enrolment"])

IdempotencyKey = Annotated[str | None, Header(max_length=255)]

MAX_BULK_ITEMS = 1000


@router.post(
    "/{gallery}/identities/{identity}/shots",
    **openapi.upload(EnrolOptions, Enrolled, files=("image",), status=201),
)
async def enrol(
    request: Request,
    gallery: Name,
    identity: Name,
    reid: Reid,
    runtime: Running,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Enrol 1..N crops of one person; the identity is created if it is new.

    What is answered `created` is on disk. The same bytes sent again are the same shot (`duplicate`). Where the
    gallery's `quality` is warn or reject, a shot tells how much of a person it shows; reject refuses those that show
    too little.

    With an `Idempotency-Key` the same request sent again within a day has the same answer, and enrols nothing; another
    one is refused (422), and so is any after the identity was erased (409). A request that enrolled nothing, because
    it failed or none of its pictures could be used, may be tried again with its key.
    """
    upload = await upload_of(request)
    options = parse_fields(EnrolOptions, upload.fields, upload.is_text)
    key, once = _key(idempotency_key), None
    if key is not None:
        once = await asyncio.to_thread(Once.of, key, identity, upload.fields, upload.files.get("image", []))
        # What the gallery asks of crops, and how busy the networks are, may be otherwise now.
        if (given := await reid.in_store(reid.store.recall, gallery, identity, once)) is not None:
            return _enrolled(given)
    embedded = await _embedded(upload, options, reid, runtime, gallery)
    enrolment = await reid.enrol(
        gallery,
        identity,
        embedded.crops(),
        label=options.label,
        camera=options.camera,
        taken_at=options.taken_at,
        metadata=options.metadata,
        quality=options.quality,
        once=once,
        notes=[_note_of(item, request) for item in embedded.items],
    )
    return _enrolled(enrolment)


async def _embedded(
    upload: Upload, options: EnrolOptions, reid: ReidPipeline, runtime: Runtime, gallery: str
) -> Embedded:
    info = await reid.in_store(reid.store.info, gallery)  # an unknown gallery should not cost a forward pass
    if options.embedding is None:
        return await QualityGate(reid, runtime.pose, info.quality).embed(upload.images(instead="embedding"))
    if upload.files:
        raise ProblemError(INVALID_FIELD, "send pictures or an embedding, not both", field="embedding")
    rows = unit_rows(options.embedding, reid.embedding_dim)
    return Embedded([Crop(row, None) for row in rows], Timings())


@router.post("/{gallery}/shots:batch", **openapi.bulk(BulkLine, BulkEnrolled))
async def enrol_many(
    request: Request, gallery: Name, reid: Reid, runtime: Running, idempotency_key: IdempotencyKey = None
) -> Response:
    """Enrol shots of many people, each with a status of its own.

    NDJSON: one object a line, with `identity_id`, and `image` (base64) or `embedding`. Or a zip file of pictures with a
    `manifest.ndjson`, whose lines name one as `file`. If something fails, send all of it again: what is there already
    is answered as a duplicate. A line with an `idempotency_key` is an enrolment of its own, and answered as such when
    it is sent again; an `Idempotency-Key` gives every line one, by its place.
    """
    let_in(request)
    gate = QualityGate(reid, runtime.pose, (await reid.in_store(reid.store.info, gallery)).quality)
    body = await read_body(request, runtime.upload_limits)
    limits = BulkLimits(MAX_BULK_ITEMS, runtime.settings.max_image_bytes, runtime.settings.max_body_bytes)
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    items = await asyncio.to_thread(_items, content_type, body, limits, reid.embedding_dim, _key(idempotency_key))
    carries(request, len(items))
    outcomes = await enrol_batch(gate, gallery, items)
    return reply(await _bulk_enrolled(request, reid, gallery, items, outcomes))


def _key(header: str | None) -> str | None:
    return (header or "").strip() or None  # an unset variable of a client is no key


def _items(
    content_type: str, body: bytes, limits: BulkLimits, dim: int, key: str | None
) -> list[BulkItem | ProblemError]:
    lines = read_bulk(content_type, body, limits)
    return [_item(line, dim, f"{key}#{index}" if key else None) for index, line in enumerate(lines)]


def _item(line: Line | ProblemError, dim: int, key: str | None) -> BulkItem | ProblemError:
    if isinstance(line, ProblemError):
        return line
    try:
        fields = parse_fields(BulkLine, line.fields)
        embedding = unit_rows(fields.embedding, dim)[0] if fields.embedding is not None else None
        if embedding is not None and line.picture is not None:
            raise ProblemError(INVALID_FIELD, "send a picture or an embedding, not both", field="embedding")
    except ProblemError as problem:
        return problem
    key = fields.idempotency_key or key
    pictures = [] if line.picture is None else [line.picture]
    return BulkItem(
        picture=line.picture,
        **fields.model_dump(exclude={"embedding", "idempotency_key"}),
        embedding=embedding,
        once=Once.of(key, fields.identity_id, line.fields, pictures) if key else None,
    )


def _note_of(item: Crop | ProblemError, request: Request) -> dict[str, Any]:
    """What is answered of a picture besides its shot, if it became one."""
    return note_of(item) if isinstance(item, Crop) else {"problem": item.body(request)}


def _enrolled(enrolment: Enrolment) -> Response:
    """The answer, which is the same however often the enrolment is recalled."""
    stored = iter(enrolment.shots)
    shots = []
    for index, note in enumerate(enrolment.notes):
        told = {"status": "error"} if "problem" in note else vars(next(stored))
        shots.append(EnrolledShot(index=index, **told, **note))
    created = any(shot.status == "created" for shot in shots)
    answer = Enrolled(identity_id=enrolment.identity_id, shots=shots, gallery_version=enrolment.gallery_version)
    return reply(answer, 201 if created else 200)


async def _bulk_enrolled(
    request: Request,
    reid: ReidPipeline,
    gallery: str,
    items: Sequence[BulkItem | ProblemError],
    outcomes: Sequence[Outcome],
) -> BulkEnrolled:
    shots = []
    for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        identity_id = item.identity_id if isinstance(item, BulkItem) else None
        if isinstance(outcome, Stored):
            shots.append(BulkShot(index=index, identity_id=identity_id, **vars(outcome.shot), **outcome.note))
        else:
            problem = problem_of(outcome, request)
            shots.append(BulkShot(index=index, identity_id=identity_id, status="error", problem=problem))
    statuses = [shot.status for shot in shots]
    return BulkEnrolled(
        created=statuses.count("created"),
        duplicates=statuses.count("duplicate"),
        errors=statuses.count("error"),
        shots=shots,
        gallery_version=(await reid.in_store(reid.store.info, gallery)).version,
    )
