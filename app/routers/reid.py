"""Embeddings, search and verification."""

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app import openapi
from app.access.callers import Scope
from app.errors import INVALID_FIELD, TOO_MANY_IMAGES, ProblemError
from app.gallery.domain import Search
from app.pipelines.decision import verify as decide_pair
from app.pipelines.reid import Crop, Embedded, Timings, verification_similarity
from app.routers.access import caller_of, needs
from app.routers.deps import Reid, Running, parse_fields, reply, statuses_of, upload_of
from app.runtime import DEFAULT_GALLERY
from app.schemas.common import Name, TimingsMs, Whole, from_text
from app.schemas.enrolment import Numbers
from app.schemas.reid import Embeddings, Filter, QueryAnswer, Verification

router = APIRouter(prefix="/reid", tags=["re-identification"])

NPY = "application/x-npy"


class EmbedOptions(BaseModel):
    """Fields of /reid/embed beside the pictures."""

    model_config = ConfigDict(extra="forbid")

    encoding: Literal["list", "base64"] = Field("list", description="base64 is of little-endian float32.")


class QueryOptions(BaseModel):
    """Fields of /reid/query beside the pictures."""

    model_config = ConfigDict(extra="forbid")

    gallery: Name = DEFAULT_GALLERY
    limit: Whole = Field(10, ge=1, le=1000, description="Identities to return at most.")
    aggregate: Literal["mean", "best", "quality"] = Field(
        "mean", description="How several crops of the person are fused; `quality` trusts sharp and large ones more."
    )
    rerank: Literal["k_reciprocal"] | None = Field(
        None, description="Order the best identities again, by the neighbours that they share with the query."
    )
    target_fpir: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The rate of strangers taken for somebody that the threshold is set for; 0.01 if not given.",
    )
    filter: Annotated[
        Filter,
        from_text('a JSON object, for example {"exclude_camera": "c1"}'),
        WithJsonSchema(Filter.model_json_schema()),
    ] = Field(Filter(), description='Which shots are searched, for example {"exclude_camera": "c1"}.')
    min_version: Whole = Field(0, ge=0, description="Answer only from this gallery_version on, else 503.")
    embedding: Numbers | None = Field(
        None, description="One embedding, or a list of them, instead of pictures; as many as pictures at most."
    )


class VerifyOptions(BaseModel):
    """Fields of /reid/verify beside the pictures."""

    model_config = ConfigDict(extra="forbid")

    target_fmr: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The rate of two people taken for one that the threshold is set for; 0.001 if not given.",
    )


@router.post("/embed", dependencies=[needs(Scope.INFER)], **openapi.upload(EmbedOptions, Embeddings, files=("image",)))
async def embed(request: Request, reid: Reid) -> Response:
    """Embed 1..N crops of persons.

    JSON by default; `Accept: application/x-npy` gives the rows (N, D) as a NumPy file, for which every picture has to
    work.
    """
    upload = await upload_of(request)
    options = parse_fields(EmbedOptions, upload.fields, upload.is_text)
    embedded = await reid.embed(upload.images())
    crops = embedded.crops()
    if NPY in request.headers.get("accept", ""):
        return _npy(embedded)
    items: list[dict[str, Any]] = [status.model_dump(exclude_none=True) for status in statuses_of(request, embedded)]
    for item, found in zip(items, embedded.items, strict=True):
        if isinstance(found, Crop):
            item["embedding"] = _encode(found.embedding, options.encoding)
    body = {
        "model": reid.checkpoint.name,
        "dim": crops[0].embedding.size,
        "embeddings": items,
        "timings_ms": TimingsMs.of(embedded.timings).model_dump(),
    }
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


@router.post("/query", dependencies=[needs(Scope.QUERY)], **openapi.upload(QueryOptions, QueryAnswer, files=("image",)))
async def query(request: Request, reid: Reid, runtime: Running) -> Response:
    """Rank the gallery's identities for 1..N crops of ONE person, and decide whether the first is that person."""
    upload = await upload_of(request)
    options = parse_fields(QueryOptions, upload.fields, upload.is_text)
    caller_of(request).require(Scope.QUERY, options.gallery)
    if options.embedding is not None:
        if upload.files:
            raise ProblemError(INVALID_FIELD, "send pictures or an embedding, not both", field="embedding")
        embedded = Embedded([], Timings())
        rows = unit_rows(options.embedding, reid.embedding_dim)
        if len(rows) > (most := runtime.settings.max_images):
            detail = f"embedding has {len(rows)} rows; send at most {most} in one query"
            raise ProblemError(TOO_MANY_IMAGES, detail, field="embedding", limit=most)
    else:
        embedded = await reid.embed(upload.images(instead="embedding"))
        rows = embedded.embeddings()
    search = Search(
        options.limit,
        options.aggregate,
        embedded.qualities(),
        options.filter.of_shots(),
        options.rerank,
        options.min_version,
    )
    answer = await reid.query(options.gallery, rows, search, embedded.timings, options.target_fpir)
    return reply(QueryAnswer.of(reid.checkpoint, options.gallery, answer, statuses_of(request, embedded)))


@router.post(
    "/verify",
    dependencies=[needs(Scope.INFER)],
    **openapi.upload(VerifyOptions, Verification, files=("image_a", "image_b")),
)
async def verify(request: Request, reid: Reid) -> Response:
    """Say whether two sets of crops show the same person: each crop's best match in the other set, averaged."""
    upload = await upload_of(request, ("image_a", "image_b"))
    options = parse_fields(VerifyOptions, upload.fields, upload.is_text)
    files_a, files_b = upload.images("image_a"), upload.images("image_b")
    a, b = await asyncio.gather(reid.embed(files_a, "image_a"), reid.embed(files_b, "image_b"))
    similarity = verification_similarity(a.embeddings(), b.embeddings())
    shots = max(len(a.crops()), len(b.crops()))
    verified = decide_pair(similarity, shots, reid.checkpoint, options.target_fmr)
    answer = Verification(
        model=reid.checkpoint.name,
        similarity=similarity,
        probability=verified.probability,
        decision=verified.verdict,
        threshold=verified.threshold,
        target_fmr=verified.target_fmr,
        shots_a=statuses_of(request, a),
        shots_b=statuses_of(request, b),
    )
    return reply(answer)


def unit_rows(embedding: Sequence[float] | Sequence[Sequence[float]], dim: int) -> NDArray[np.float32]:
    """Embeddings that a client sent, as unit rows (Q, D).

    Raises:
        ProblemError: wrong length, not finite, or all zero.
    """
    try:
        rows = np.atleast_2d(np.asarray(embedding, np.float64))
    except ValueError:
        raise ProblemError(INVALID_FIELD, "embedding rows differ in length", field="embedding") from None
    if rows.ndim != 2 or rows.shape[1] != dim:
        detail = f"embedding has {rows.shape[-1]} values; this model's have {dim}"
        raise ProblemError(INVALID_FIELD, detail, field="embedding", limit=dim)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not np.isfinite(largest).all() or (largest == 0).any():
        raise ProblemError(INVALID_FIELD, "embedding values must be finite and not all zero", field="embedding")
    rows /= largest  # the square of a very large number would be infinite, and of a very small one zero
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _encode(embedding: NDArray[np.float32], encoding: str) -> NDArray[np.float32] | str:
    if encoding == "base64":
        return base64.b64encode(embedding.astype("<f4").tobytes()).decode()
    return embedding


def _npy(embedded: Embedded) -> Response:
    for item in embedded.items:
        if isinstance(item, ProblemError):
            raise item
    file = io.BytesIO()
    np.save(file, embedded.embeddings(), allow_pickle=False)
    return Response(file.getvalue(), media_type=NPY)
