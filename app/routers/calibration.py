"""What probabilities and decisions of a gallery rest on."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from app import openapi
from app.errors import INVALID_FIELD, UNSUPPORTED_MEDIA, ProblemError
from app.pipelines.calibration import calibrate, report
from app.routers.deps import Reid, Running, parse_fields
from app.schemas.calibration import MAX_PAIRS, Calibration, NewCalibration
from app.schemas.common import Name
from app.uploads import JSON, parse_json_object, read_body

router = APIRouter(prefix="/galleries/{gallery}/calibration", tags=["calibration"])

CHECKED_AT_ONCE = 1000


@router.post("", **openapi.optional_json(NewCalibration, Calibration))
async def fit(request: Request, gallery: Name, reid: Reid, runtime: Running) -> Calibration:
    """Fit a calibration on the gallery's own shots, or on labelled pairs; it is used from now on."""
    body = await read_body(request, runtime.upload_limits)
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if body and content_type != JSON:
        raise ProblemError(UNSUPPORTED_MEDIA, f"content type {content_type[:100]!r} is not accepted; send {JSON}")
    # A million pairs take seconds to read; other requests should not wait for that.
    pairs = await asyncio.to_thread(_pairs, body)
    return Calibration.of(await reid.in_store(calibrate, reid, gallery, pairs))


@router.get("", response_model=Calibration, responses=openapi.PROBLEMS)
async def show(gallery: Name, reid: Reid) -> Calibration:
    """The calibration in use: the gallery's own, else the checkpoint's."""
    return Calibration.of(await reid.in_store(report, reid, gallery))


@router.delete("", response_model=Calibration, responses=openapi.PROBLEMS)
async def forget(gallery: Name, reid: Reid) -> Calibration:
    """Go back to the checkpoint's calibration."""
    await reid.in_store(reid.store.forget_calibration, gallery)
    return Calibration.of(await reid.in_store(report, reid, gallery))


def _pairs(body: bytes) -> list[tuple[float, bool]] | None:
    """The labelled pairs of a body, if it has any.

    They are checked some at a time: one check of them all would not let another thread in between.
    """
    if not body:
        return None
    fields: dict[str, Any] = parse_json_object(body)
    listed = fields.get("pairs")
    if not isinstance(listed, list):
        parse_fields(NewCalibration, fields)
        return None
    if len(listed) > MAX_PAIRS:
        raise ProblemError(INVALID_FIELD, f"pairs has {len(listed)} entries", field="pairs", limit=MAX_PAIRS)
    parse_fields(NewCalibration, fields | {"pairs": []})
    found: list[tuple[float, bool]] = []
    for start in range(0, len(listed), CHECKED_AT_ONCE):
        checked = parse_fields(NewCalibration, {"pairs": listed[start : start + CHECKED_AT_ONCE]}).pairs or []
        found.extend((pair.similarity, pair.same) for pair in checked)
    return found
