"""The Open Inference Protocol's bodies (v2, with the binary tensor extension): bytes to tensors and back.

Source: the KServe project's specification, and the binary data extension as Triton documents it. A body is a JSON
object; tensors that are sent as binary data follow it in order, little-endian, and a header tells the object's length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from app.errors import INVALID_FIELD, MALFORMED, ProblemError

HEADER_LENGTH = "Inference-Header-Content-Length"
INPUT, OUTPUT = "input", "output"
DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "FP16": np.dtype("<f2")}


class _Tensor(BaseModel):
    name: str
    shape: list[int] = []
    datatype: str = "FP32"
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class _Request(BaseModel):
    id: str | None = None
    inputs: list[_Tensor]
    outputs: list[_Tensor] = []
    parameters: dict[str, Any] = {}


@dataclass(frozen=True)
class TensorRequest:
    """What a client wants to have computed.

    Attributes:
        id: the client's own, returned to it.
        rows: (N, …) float32, finite.
        binary: the answer's tensor is to be binary data.
    """

    id: str | None
    rows: NDArray[np.float32]
    binary: bool


def parse_request(body: bytes, header_length: str | None, item_shape: tuple[int, ...]) -> TensorRequest:
    """Read a request for a network whose only input has the shape (N, *item_shape).

    Raises:
        ProblemError: it is malformed, or does not fit the network.
    """
    length = _header_length(body, header_length)
    try:
        request = _Request.model_validate(orjson.loads(body[:length]))
    except orjson.JSONDecodeError as error:
        raise ProblemError(MALFORMED, f"the inference header is not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "body"
        raise ProblemError(INVALID_FIELD, f"{field}: {first['msg']}", field=field) from None
    if [tensor.name for tensor in request.inputs] != [INPUT]:
        raise ProblemError(INVALID_FIELD, f"send exactly one input, named {INPUT!r}", field="inputs")
    if any(tensor.name != OUTPUT for tensor in request.outputs):
        raise ProblemError(INVALID_FIELD, f"the only output is {OUTPUT!r}", field="outputs")
    rows = _values(request.inputs[0], memoryview(body)[length:], item_shape)
    return TensorRequest(request.id, rows, _wants_binary(request))


def write_answer(model: str, request: TensorRequest, rows: NDArray[np.float32]) -> Iterator[bytes]:
    """The parts of an answer's body: the JSON object, then the binary data if there is any."""
    tensor: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": rows.shape}
    if request.binary:
        tensor["parameters"] = {"binary_data_size": rows.nbytes}
    else:
        tensor["data"] = rows.ravel()
    answer = {"model_name": model, "model_version": "1", "outputs": [tensor]}
    if request.id is not None:
        answer["id"] = request.id
    yield orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if request.binary:
        yield rows.astype("<f4", copy=False).tobytes()


def _header_length(body: bytes, text: str | None) -> int:
    if text is None:
        return len(body)
    if not text.isdecimal() or int(text) > len(body):
        detail = f"{HEADER_LENGTH} must be the length of the JSON object, at most that of the body ({len(body)})"
        raise ProblemError(MALFORMED, detail, field=HEADER_LENGTH)
    return int(text)


def _values(tensor: _Tensor, binary: memoryview, item_shape: tuple[int, ...]) -> NDArray[np.float32]:
    shape = tuple(tensor.shape)
    if len(shape) != 1 + len(item_shape) or shape[1:] != item_shape or shape[0] < 1:
        wanted = ", ".join(["N", *map(str, item_shape)])
        raise ProblemError(INVALID_FIELD, f"{INPUT} has the shape {list(shape)}; send [{wanted}]", field=INPUT)
    if tensor.datatype not in DTYPES:
        detail = f"{INPUT} has the datatype {tensor.datatype[:20]!r}; send {' or '.join(DTYPES)}"
        raise ProblemError(INVALID_FIELD, detail, field=INPUT)
    values = _from_json(tensor) if tensor.data is not None else _from_binary(tensor, binary)
    if values.size != prod(shape):
        detail = f"{INPUT} has {values.size} values; its shape says {prod(shape)}"
        raise ProblemError(INVALID_FIELD, detail, field=INPUT)
    if not np.isfinite(values).all():
        raise ProblemError(INVALID_FIELD, f"{INPUT} has values that are not finite", field=INPUT)
    return values.reshape(shape)


def _from_json(tensor: _Tensor) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
            return np.asarray(tensor.data, np.float64).astype(np.float32).ravel()
    except (ValueError, TypeError):
        raise ProblemError(INVALID_FIELD, f"{INPUT} must hold numbers, in rows of one length", field=INPUT) from None


def _from_binary(tensor: _Tensor, binary: memoryview) -> NDArray[np.float32]:
    size, dtype = tensor.parameters.get("binary_data_size"), DTYPES[tensor.datatype]
    if size != len(binary) or size % dtype.itemsize:
        detail = f"{INPUT} says it has {size!r} bytes of binary data, but {len(binary)} came"
        raise ProblemError(INVALID_FIELD, detail, field=INPUT)
    # A copy even of float32: torch wants memory that it may write to.
    return np.array(np.frombuffer(binary, dtype), np.float32)


def _wants_binary(request: _Request) -> bool:
    parameters: Mapping[str, Any] = request.outputs[0].parameters if request.outputs else {}
    return bool(parameters.get("binary_data", request.parameters.get("binary_data_output", False)))
