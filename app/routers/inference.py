"""The Open Inference Protocol v2: prepared tensors in, a network's rows out, for clients of KServe and Triton."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray
from torch import Tensor

from app import openapi
from app.engine.served import ServedNetwork
from app.engine.together import together
from app.errors import NOT_READY, TOO_MANY_IMAGES, UNKNOWN_MODEL, ProblemError
from app.oip import HEADER_LENGTH, INPUT, OUTPUT, TensorRequest, parse_request, write_answer
from app.routers.admission import carries, let_in
from app.routers.deps import Running
from app.routers.health import LEAVING
from app.uploads import read_body

router = APIRouter(prefix="/v2", tags=["open inference protocol"], responses=openapi.PROBLEMS)

VERSION = "1"
MODEL, MODEL_VERSION = "/models/{model}", "/models/{model}/versions/{version}"


async def _network(runtime: Running, model: str, version: str = VERSION) -> ServedNetwork[Any]:
    for network in runtime.networks:
        if (network.checkpoint.name, VERSION) == (model, version):
            return network
    served = ", ".join(network.checkpoint.name for network in runtime.networks)
    detail = f"there is no model {model[:100]!r} in version {version[:20]!r}; served in version {VERSION} are {served}"
    raise ProblemError(UNKNOWN_MODEL, detail, field="model")


Network = Annotated[ServedNetwork[Any], Depends(_network)]


@router.get("")
async def server() -> Mapping[str, object]:
    """The server's name and what it can do."""
    return {"name": "gaitkeeper", "version": "0.1.0", "extensions": ["binary_tensor_data"]}


@router.get("/health/live")
async def live() -> Mapping[str, object]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready")
async def ready(request: Request, runtime: Running) -> Mapping[str, object]:
    """Every network computed its golden sample, a moment ago."""
    if request.app.state.leaving:
        raise ProblemError(NOT_READY, LEAVING)
    if runtime.operations.canary.problems:
        raise ProblemError(NOT_READY, "not ready: " + ", ".join(sorted(runtime.operations.canary.problems)))
    return {"ready": True}


@router.get(MODEL)
@router.get(MODEL_VERSION)
async def metadata(network: Network) -> Mapping[str, object]:
    """A network's tensors; N is free."""
    inputs = {"name": INPUT, "datatype": "FP32", "shape": [-1, *network.item_shape]}
    outputs = {"name": OUTPUT, "datatype": "FP32", "shape": [-1, *network.golden.shape]}
    return {
        "name": network.checkpoint.name,
        "versions": [VERSION],
        "platform": "gaitkeeper_pytorch",
        "inputs": [inputs],
        "outputs": [outputs],
    }


@router.get(MODEL + "/ready")
@router.get(MODEL_VERSION + "/ready")
async def model_ready(runtime: Running, network: Network) -> Mapping[str, object]:
    """The network computed its golden sample, a moment ago."""
    name = network.checkpoint.name
    if name in runtime.operations.canary.problems:
        raise ProblemError(NOT_READY, f"{name} {runtime.operations.canary.problems[name]}")
    return {"name": name, "ready": True}


@router.post(MODEL + "/infer", **openapi.INFER)
@router.post(MODEL_VERSION + "/infer", **openapi.INFER)
async def infer(request: Request, runtime: Running, network: Network) -> Response:
    """Run prepared tensors; what a network wants to see is in `/v1/models` (size, mean, deviation)."""
    let_in(request)
    body = await read_body(request, runtime.upload_limits)
    header_length = request.headers.get(HEADER_LENGTH)
    asked = await asyncio.to_thread(parse_request, body, header_length, network.item_shape)
    most = runtime.settings.max_images
    if len(asked.rows) > most:
        raise ProblemError(TOO_MANY_IMAGES, f"send at most {most} rows in one request", field=INPUT, limit=most)
    carries(request, len(asked.rows))
    network.batcher.admit(len(asked.rows))
    results = await together(*(network.batcher.submit(row) for row in torch.from_numpy(asked.rows)))
    return await asyncio.to_thread(_answer, network.checkpoint.name, asked, [row for row, _ in results])


def _answer(model: str, asked: TensorRequest, rows: list[Tensor]) -> Response:
    stacked: NDArray[np.float32] = torch.stack(rows).float().numpy()
    header, *binary = write_answer(model, asked, stacked)
    if not binary:
        return Response(header, media_type="application/json")
    headers = {HEADER_LENGTH: str(len(header))}
    return Response(header + b"".join(binary), headers=headers, media_type="application/octet-stream")
