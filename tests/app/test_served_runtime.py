"""The service with the runtimes that it chooses by itself."""

from pathlib import Path

import httpx

from tests.app.conftest import start_server


def test_a_service_chooses_runtimes_that_reproduce_the_golden_samples_and_keeps_their_files(tmp_path: Path) -> None:
    server = start_server(tmp_path, runtime="auto", threads="1")

    assert server.terminate() == 0

    kept = {path.name.rpartition("-")[0] for path in (tmp_path / "cache").glob("*.onnx")}
    assert kept == {"resnet18-market1501-compact", "hourglass-lspet-compact", "glcnn-walker"}


def test_a_service_starts_in_low_precision_and_finds_how_many_to_run_together(tmp_path: Path) -> None:
    server = start_server(tmp_path, precision="bf16", threads="1", max_batch="0")

    limits = httpx.get(f"{server.url}/v1/limits").json()

    assert server.terminate() == 0
    assert limits["service"]["batch_items"] >= 1
