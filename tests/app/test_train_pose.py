"""`gaitkeeper train pose` and `weights release-pose` from data to a checkpoint of the manifest."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from models.checkpoint import read_manifest
from tests.training.layouts import write_lsp

runner = CliRunner()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data in `lsp` and a finished run in `run`."""
    folder = tmp_path_factory.mktemp("pose")
    options = ["--data", str(write_lsp(folder / "lsp")), "--out", str(folder / "run"), "--held-out", "2"]
    tiny = ["--stacks", "1", "--channels", "8", "--input-size", "64", "--epochs", "1", "--batch-size", "2"]
    result = runner.invoke(main, ["train", "pose", *options, *tiny])
    assert result.exit_code == 0, result.output
    assert "lsp: 6 persons; 4 to train on, 2 held out" in result.output
    return folder


def test_a_run_leaves_a_card_with_its_recipe(run: Path) -> None:
    recipe = json.loads((run / "run" / "card.json").read_text())["recipe"]

    assert recipe["arguments"] == {"num_stacks": 1, "channels": 8}
    assert (recipe["size"], recipe["epochs"], recipe["held_out"]) == (64, 1, 2)


def test_a_released_run_is_in_the_manifest_with_its_figures(run: Path, tmp_path: Path) -> None:
    options = ["--run", str(run / "run"), "--name", "tiny", "--test", str(run / "lsp"), "--licence", "research only"]

    result = runner.invoke(
        main, ["weights", "release-pose", *options, "--trained-on", "drawn persons", "--weights-dir", str(tmp_path)]
    )

    assert result.exit_code == 0, result.output
    checkpoint = read_manifest(tmp_path)["tiny"]
    assert (checkpoint.task, checkpoint.licence, checkpoint.commercial_use) == ("pose", "research only", False)
    assert list(checkpoint.measured) == ["lsp, upright", "lsp, others"]
    assert re.search(r"lsp, upright +3 ", result.output)


def test_data_of_another_layout_are_refused(tmp_path: Path) -> None:
    result = runner.invoke(main, ["train", "pose", "--data", str(tmp_path), "--out", str(tmp_path / "run")])

    assert result.exit_code == 1
    assert "joints.csv is missing" in result.stderr
