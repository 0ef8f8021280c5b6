"""The Open Inference Protocol, spoken by Triton's own client."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.app.conftest import Server

NETWORK = "resnet18-market1501-compact"
ROWS = np.random.default_rng(0).standard_normal((3, 3, 128, 64)).astype(np.float32)


@pytest.fixture
def triton_client(server: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def tensor(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]], binary: bool = True) -> triton.InferInput:
    found = triton.InferInput("input", list(rows.shape), "FP32")
    found.set_data_from_numpy(rows, binary_data=binary)
    return found


def test_health_and_metadata_are_understood(triton_client: triton.InferenceServerClient) -> None:
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.is_model_ready(NETWORK)
    assert triton_client.is_model_ready(NETWORK, "1")
    assert "binary_tensor_data" in triton_client.get_server_metadata()["extensions"]
    metadata = triton_client.get_model_metadata(NETWORK)
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 128, 64]}]
    assert metadata["outputs"] == [{"name": "output", "datatype": "FP32", "shape": [-1, 384]}]


@pytest.mark.parametrize("binary_out", [None, True, False], ids=["default", "binary", "JSON"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["from binary", "from JSON"])
def test_tensors_go_in_and_rows_come_out(
    triton_client: triton.InferenceServerClient, binary_in: bool, binary_out: bool | None
) -> None:
    wanted = None if binary_out is None else [triton.InferRequestedOutput("output", binary_data=binary_out)]

    answer = triton_client.infer(NETWORK, [tensor(ROWS, binary_in)], outputs=wanted, request_id="r-1")
    alone = triton_client.infer(NETWORK, [tensor(ROWS[1:2])]).as_numpy("output")

    rows = answer.as_numpy("output")
    assert answer.get_response()["id"] == "r-1"
    assert (rows.shape, rows.dtype) == ((3, 384), np.float32)
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5
    assert np.abs(rows[1] - alone[0]).max() < 1e-4


def test_errors_reach_the_client_in_words(triton_client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as unknown:
        triton_client.infer("nope", [tensor(ROWS)])
    with pytest.raises(InferenceServerException) as small:
        triton_client.infer(NETWORK, [tensor(ROWS[:, :, :64])])
    with pytest.raises(InferenceServerException) as many:
        triton_client.infer(NETWORK, [tensor(np.repeat(ROWS, 3, axis=0))])

    assert "no model 'nope'" in unknown.value.message()
    assert "[3, 3, 64, 64]; send [N, 3, 128, 64]" in small.value.message()
    assert "at most 8 rows" in many.value.message()


def test_errors_are_problems_too(client: httpx.Client) -> None:
    answer = client.post(f"/v2/models/{NETWORK}/infer", content=b"{")

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-request")
    assert answer.headers["content-type"] == "application/problem+json"
