import json
from typing import Any

import numpy as np
import pytest

from app.errors import ProblemError
from app.oip import parse_request, write_answer

SHAPE = (2, 3)
ROWS = np.arange(12, dtype=np.float32).reshape(2, *SHAPE)


def body_of(**changes: Any) -> bytes:  # noqa: ANN401
    tensor = {"name": "input", "shape": [2, 2, 3], "datatype": "FP32", "data": ROWS.ravel().tolist()} | changes
    return json.dumps({"id": "q", "inputs": [tensor]}).encode()


def binary_body(values: bytes, datatype: str = "FP32", size: int | None = None) -> tuple[bytes, str]:
    parameters = {"binary_data_size": len(values) if size is None else size}
    tensor = {"name": "input", "shape": [2, 2, 3], "datatype": datatype, "parameters": parameters}
    header = json.dumps({"inputs": [tensor]}).encode()
    return header + values, str(len(header))


@pytest.mark.parametrize("data", [ROWS.tolist(), ROWS.ravel().tolist()], ids=["nested", "flat"])
def test_tensors_are_read_from_json(data: object) -> None:
    request = parse_request(body_of(data=data), None, SHAPE)

    assert (request.id, request.binary) == ("q", False)
    np.testing.assert_array_equal(request.rows, ROWS)


@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("FP16", "<f2")])
def test_tensors_are_read_from_binary_data(datatype: str, dtype: str) -> None:
    request = parse_request(*binary_body(ROWS.astype(dtype).tobytes(), datatype), SHAPE)

    np.testing.assert_array_equal(request.rows, ROWS)
    assert request.rows.dtype == np.float32
    assert request.rows.flags.writeable


@pytest.mark.parametrize(
    ("body", "header_length", "field"),
    [
        (b"{", None, None),
        (b"[1]", None, "body"),
        (b'{"inputs": []}', None, "inputs"),
        (body_of(name="image"), None, "inputs"),
        (body_of(shape=[2, 3, 2]), None, "input"),
        (body_of(shape=[0, 2, 3], data=[]), None, "input"),
        (body_of(shape=[3, 2, 3]), None, "input"),
        (body_of(shape=[-1, 2, 3]), None, "input"),
        (body_of(datatype="INT8"), None, "input"),
        (body_of(data=[[1], [2, 3]]), None, "input"),
        (body_of(data=["x"] * 12), None, "input"),
        (body_of(data=[1e39] * 12), None, "input"),
        (body_of(data=None), None, "input"),
        (body_of(), "-1", "Inference-Header-Content-Length"),
        (body_of(), "99999", "Inference-Header-Content-Length"),
        (*binary_body(b"\0" * 47), "input"),
        (*binary_body(b"\0" * 48, size=47), "input"),
        (*binary_body(ROWS.tobytes() + b"\0" * 4), "input"),
        (*binary_body(np.full(12, np.nan, np.float32).tobytes()), "input"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(body: bytes, header_length: str | None, field: str | None) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_request(body, header_length, SHAPE)

    assert caught.value.field == field


def test_an_output_that_is_not_there_is_refused() -> None:
    body = json.loads(body_of()) | {"outputs": [{"name": "logits"}]}

    with pytest.raises(ProblemError, match="the only output is 'output'"):
        parse_request(json.dumps(body).encode(), None, SHAPE)


@pytest.mark.parametrize("binary", [False, True])
def test_answers_carry_the_rows_as_asked(binary: bool) -> None:
    asked = json.loads(body_of()) | {"outputs": [{"name": "output", "parameters": {"binary_data": binary}}]}
    request = parse_request(json.dumps(asked).encode(), None, SHAPE)

    header, *data = write_answer("net", request, ROWS)

    answer = json.loads(header)
    (tensor,) = answer["outputs"]
    assert (answer["id"], answer["model_name"], tensor["shape"]) == ("q", "net", [2, 2, 3])
    if binary:
        assert tensor["parameters"] == {"binary_data_size": len(data[0])}
        np.testing.assert_array_equal(np.frombuffer(data[0], "<f4").reshape(ROWS.shape), ROWS)
    else:
        assert (data, tensor["data"]) == ([], ROWS.ravel().tolist())
