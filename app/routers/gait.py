"""Age from the way a person walks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app import openapi
from app.errors import INVALID_FIELD, NO_IMAGE, ProblemError
from app.gait_uploads import FIELD, GEI_FIELD
from app.pipelines.gait import VIDEO_FIELD, GaitPipeline
from app.routers.admission import carries, let_in
from app.routers.deps import Running, parse_fields
from app.schemas.gait import GaitAnswer, GaitFields, GaitVideoAnswer
from app.uploads import Upload, UploadLimits, read_upload

router = APIRouter(prefix="/gait", tags=["gait"])

# The first one takes a raw picture body: one picture is no walk, but may be a gait energy image.
FIELDS = (GEI_FIELD, FIELD, VIDEO_FIELD)


async def _gait(runtime: Running) -> GaitPipeline:
    return runtime.gait


Gait = Annotated[GaitPipeline, Depends(_gait)]


@router.post("/age", **openapi.gait_upload(GaitFields, (GaitAnswer, GaitVideoAnswer), FIELDS))
async def age(request: Request, pipeline: Gait, runtime: Running) -> Response:
    """Tell the age of a walker: of one walk, or of everybody in a video.

    Send one of three fields. `silhouettes`: pictures of one walk in order of time, white where the person is; or one
    zip file of them, or one npz file with an array (frames, height, width). `gei`: one gait energy image. `video`: a
    file from a camera that does not move; the answer has a list of tracks.

    `probabilities` are of the ages 0, 1, 2, …; `interval` holds the true age as often as its level says, among walkers
    like those it was fitted on. Read the `warnings`: they say what the answer should not be trusted for.
    """
    let_in(request)
    settings = runtime.settings
    upload = await read_upload(request, UploadLimits(settings.max_body_bytes, settings.gait_max_frames), FIELDS)
    carries(request, 1)
    fields = parse_fields(GaitFields, upload.fields, upload.is_text)
    kind = _kind(upload)
    network = pipeline.network(fields.model)
    files, name = upload.files[kind], network.checkpoint.name
    answer: GaitAnswer | GaitVideoAnswer
    if kind == VIDEO_FIELD:
        answer = GaitVideoAnswer.of(name, await pipeline.ages_of_video(network, files[0]))
    elif kind == GEI_FIELD:
        answer = GaitAnswer.answer(name, await pipeline.age_of_gei(network, files[0], not upload.is_raw))
    else:
        walk, _ = await pipeline.age_of_files(network, files, upload.names.get(kind, []))
        answer = GaitAnswer.answer(name, walk)
    return Response(answer.model_dump_json(), media_type="application/json")


def _kind(upload: Upload) -> str:
    kinds = [name for name in FIELDS if upload.files.get(name)]
    if not kinds:
        detail = (
            f"send the frames of a walk as {FIELD!r}, or a gait energy image as {GEI_FIELD!r}, or a {VIDEO_FIELD!r}"
        )
        raise ProblemError(NO_IMAGE, detail, field=FIELD)
    if len(kinds) > 1:
        raise ProblemError(INVALID_FIELD, f"send {kinds[0]} or {kinds[1]}, not both", field=kinds[1])
    if kinds[0] != FIELD and len(upload.files[kinds[0]]) > 1:
        raise ProblemError(INVALID_FIELD, f"send one {kinds[0]} a request", field=kinds[0], limit=1)
    return kinds[0]
