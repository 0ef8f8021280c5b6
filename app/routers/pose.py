"""Keypoints of persons."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app import openapi
from app.errors import INVALID_FIELD, ProblemError
from app.pipelines.pose import PosedImages, PosePipeline
from app.routers.deps import Running, parse_fields, upload_of
from app.schemas.pose import PoseAnswer, PoseFields, PoseImage, PoseTimingsMs
from models.keypoints import Skeleton

router = APIRouter(tags=["pose"])

PNG = "image/png"


async def _pose(runtime: Running) -> PosePipeline:
    return runtime.pose


Pose = Annotated[PosePipeline, Depends(_pose)]


@router.post("/pose", **openapi.upload(PoseFields, PoseAnswer, files=("image",), picture_type=PNG))
async def pose(request: Request, pipeline: Pose) -> Response:
    """Find the persons in 1..N images, and their keypoints in pixels of the upright image.

    With `boxes` every box is answered by one person, in the order sent; without, persons are detected, and poses that
    repeat a better one are dropped.

    - Nobody found: `status` is ok and `persons` is empty.
    - A box that sticks out is cut at the border; the answer's box is the part inside.
    - A box outside the image, or an empty one (x2 <= x1 or y2 <= y1): that image's problem is `invalid-box`.
    - A person cut off by the border: keypoints beyond it may be guessed. They keep their coordinates, which then lie
      outside the image, and usually score low; nothing is moved inside.

    `render=true` or `Accept: image/png` gives a PNG with the skeletons drawn, for one image. Left sides are orange,
    right ones blue. The request fails only if every image does.
    """
    upload = await upload_of(request)
    fields = parse_fields(PoseFields, upload.fields, upload.is_text)
    files = upload.images()
    drawn = fields.render or PNG in request.headers.get("accept", "")
    if drawn and len(files) > 1:
        detail = f"a drawn answer is one picture, but {len(files)} images came; send one, or ask for JSON"
        raise ProblemError(INVALID_FIELD, detail, field="render", limit=1)
    network = pipeline.network(fields.model)
    found = await pipeline.find(network, files, fields.boxes_for(len(files)), fields.options())
    found.require_one()
    if drawn and not isinstance(found.items[0], ProblemError):
        return Response(await pipeline.draw(files[0], found.items[0], network), media_type=PNG)
    answer = _answer(request, network.checkpoint.name, network.predictor.skeleton, found)
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def _answer(request: Request, model: str, skeleton: Skeleton, found: PosedImages) -> PoseAnswer:
    images = [
        PoseImage.of(index, item, skeleton, item.body(request) if isinstance(item, ProblemError) else None)
        for index, item in enumerate(found.items)
    ]
    return PoseAnswer(model=model, images=images, timings_ms=PoseTimingsMs.of(found.timings))
