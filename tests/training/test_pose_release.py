"""From a finished pose run to a checkpoint that a server can check and load."""

from pathlib import Path

import pytest

from models.checkpoint import load_network, read_manifest
from models.golden import agrees, golden_input, read_golden
from models.predictors.pose import heatmaps_of
from tests.training.layouts import write_coco, write_lsp
from training.drafts import draft_checkpoint
from training.lsp_datasets import load_lsp
from training.pose import PoseTrainingRecipe, train
from training.pose_release import load_test_data, release_pose

DRAFT = draft_checkpoint("pose", "tiny", "research", False, ["drawn persons"], "Knows nobody.")


def test_a_released_run_is_a_checkpoint_that_loads_and_agrees_with_its_golden_sample(tmp_path: Path) -> None:
    lsp, weights = write_lsp(tmp_path / "lsp"), tmp_path / "weights"
    weights.mkdir()
    recipe = PoseTrainingRecipe(arguments={"num_stacks": 1, "channels": 8}, size=64, epochs=1, held_out=0)
    train(load_lsp(lsp), recipe, tmp_path / "run", "gaitkeeper train pose", print)

    tests = [load_test_data(lsp), load_test_data(write_coco(tmp_path / "coco"))]
    release_pose(tmp_path / "run", DRAFT, tests, weights)

    checkpoint = read_manifest(weights)["tiny"]
    network = load_network(checkpoint, weights)
    heatmaps = heatmaps_of(network, golden_input(checkpoint.preprocessing)[None])[0].detach()
    assert list(checkpoint.measured) == ["lsp, upright", "lsp, others", "coco, 12 common keypoints"]
    assert checkpoint.preprocessing.size == (64, 64)
    assert checkpoint.command == "gaitkeeper train pose"
    assert heatmaps.shape == (14, 16, 16)
    assert agrees(heatmaps, read_golden(checkpoint, weights))


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"card\.json is missing"):
        release_pose(tmp_path, DRAFT, [], tmp_path)
