"""`gaitkeeper export …`."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import models
from app.cli import main
from tests.app.test_evaluate import add_checkpoint

runner = CliRunner()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with an untrained network for re-ID and one for gait."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    arguments = {"input_size": [32, 16], "width": 8}
    reid: dict[str, Any] = {"network": "resnet18_bnneck", "arguments": arguments, "preprocessing": {"size": [32, 16]}}
    add_checkpoint(folder, "tiny-reid", "reid", models.create("resnet18_bnneck", **arguments), reid)
    gait = {"network": "glcnn", "preprocessing": {"size": [64, 44], "mean": [0.0] * 3, "std": [1.0] * 3}}
    add_checkpoint(folder, "tiny-gait", "gait", models.create("glcnn"), gait)
    return folder


@pytest.mark.parametrize(
    ("name", "format_", "files"),
    [
        ("tiny-reid", "onnx", ["tiny-reid.onnx"]),
        ("tiny-reid", "openvino", ["tiny-reid.xml", "tiny-reid.bin"]),
        pytest.param("tiny-gait", "torch-export", ["tiny-gait.pt2"], marks=pytest.mark.slow),
    ],
)
def test_an_export_is_checked_and_has_a_card(
    name: str, format_: str, files: list[str], weights: Path, tmp_path: Path
) -> None:
    arguments = ["export", name, "--format", format_, "--out", str(tmp_path), "--weights-dir", str(weights)]

    result = runner.invoke(main, arguments)

    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / file) for file in (*files, f"{name}.json")]
    assert all((tmp_path / file).stat().st_size > 0 for file in files)
    card = json.loads((tmp_path / f"{name}.json").read_text())
    channels, size = (1, [64, 44]) if name == "tiny-gait" else (3, [32, 16])
    assert card["files"] == files
    assert card["input"]["shape"] == ["batch", channels, *size]
    assert len(card["input"]["mean"]) == channels
    assert card["outputs"] == (["features", "age_logits", "gender_logits"] if channels == 1 else ["output"])
    assert card["compared_with_torch"]["cosine"] >= 0.99999


@pytest.mark.parametrize(
    ("format_", "file"),
    [("onnx", "tiny-reid.onnx"), ("openvino", "tiny-reid.bin"), ("torch-export", "tiny-reid.pt2")],
)
def test_a_file_that_cannot_be_written_is_told_in_one_line(
    format_: str, file: str, weights: Path, tmp_path: Path
) -> None:
    in_the_way = tmp_path / file
    in_the_way.mkdir()
    arguments = ["export", "tiny-reid", "--format", format_, "--out", str(tmp_path), "--weights-dir", str(weights)]

    result = runner.invoke(main, arguments)

    assert (result.exit_code, result.stderr) == (1, f"error: {in_the_way}: Is a directory\n")


def test_an_unknown_network_is_refused(weights: Path, tmp_path: Path) -> None:
    result = runner.invoke(main, ["export", "nothing", "--out", str(tmp_path / "out"), "--weights-dir", str(weights)])

    assert result.exit_code == 1
    assert "there is no checkpoint 'nothing'" in result.stderr
    assert not (tmp_path / "out").exists()
