"""The service with the runtime that it chooses by itself."""

from pathlib import Path

from tests.app.conftest import start_server


def test_a_service_chooses_a_runtime_that_reproduces_the_golden_sample_and_keeps_its_files(tmp_path: Path) -> None:
    server = start_server(tmp_path, runtime="auto", threads="1")

    assert server.terminate() == 0

    kept = {path.suffix: path.name for path in (tmp_path / "cache").glob("resnet18-market1501-compact-*")}
    assert list(kept) == [".onnx"]
