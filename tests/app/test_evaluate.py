"""`gaitkeeper evaluate …` from a manifest and a data set to a table."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner, Result

import models
from app.cli import main
from tests.training.layouts import (
    MARKET,
    write_coco,
    write_cuhk03,
    write_folders,
    write_lsp,
    write_mpii,
    write_oulp_age,
)

runner = CliRunner()
ENTRY = {"origin": "test", "licence": "none", "commercial_use": False}


def add_checkpoint(folder: Path, name: str, task: str, network: nn.Module, entry: dict[str, Any]) -> None:
    """Write a network's weights, and add them to the manifest."""
    save_file(network.state_dict(), folder / f"{name}.safetensors")
    sha256 = hashlib.sha256((folder / f"{name}.safetensors").read_bytes()).hexdigest()
    described = {"name": name, "task": task, "file": f"{name}.safetensors", "sha256": sha256, **ENTRY, **entry}
    with (folder / "manifest.toml").open("a") as file:
        file.write(tomli_w.dumps({"checkpoints": [described]}))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with a tiny network for each task, untrained but for an age that is always 30."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    network = models.create("rga_sc_resnet18", input_size=(32, 16), width=8)
    entry: dict[str, Any] = {"network": "rga_sc_resnet18", "preprocessing": {"size": [32, 16]}}
    entry["arguments"] = {"input_size": [32, 16], "width": 8}
    add_checkpoint(folder, "tiny-reid", "reid", network, entry)
    for keypoints in (14, 16, 17):
        entry = {"network": "hourglass_bearpaw", "preprocessing": {"size": [64, 64], "flip": True}}
        entry["arguments"] = {"num_stacks": 1, "num_keypoints": keypoints, "channels": 16}
        network = models.create("hourglass_bearpaw", **entry["arguments"])
        add_checkpoint(folder, f"tiny-pose-{keypoints}", "pose", network, entry)
    network = models.create("glcnn")
    nn.init.zeros_(network.get_parameter("linear_age.weight"))
    with torch.no_grad():
        network.get_parameter("linear_age.bias").copy_(torch.where(torch.arange(100) < 30, 1.0, -1.0))
    add_checkpoint(folder, "tiny-gait", "gait", network, {"network": "glcnn", "preprocessing": {"size": [64, 44]}})
    return folder


def evaluate(weights: Path, task: str, data: Path, model: str, *options: str) -> Result:
    arguments = ["--data", str(data), "--model", model, "--weights-dir", str(weights), *options]
    return runner.invoke(main, ["evaluate", task, *arguments])


def results(result: Result) -> dict[str, dict[str, float]]:
    assert result.exit_code == 0, result.output
    answer: dict[str, dict[str, float]] = json.loads(result.stdout)["results"]
    return answer


def test_reid_prints_the_table_and_says_what_was_read_and_how(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "reid", write_folders(tmp_path / "market", MARKET), "tiny-reid")

    assert result.exit_code == 0, result.output
    title, header, row = result.stdout.splitlines()
    assert title == "tiny-reid: Market-1501 protocol, cosine similarity, without the mirrored picture"
    assert header.split() == ["queries", "gallery", "rank_1", "rank_5", "rank_10", "mAP"]
    assert row.split() == ["market,", "Market-1501", "layout", "1", "2", "100.0", "100.0", "100.0", "100.0"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Market-1501 protocol, cosine"),
        (["--rerank", "k_reciprocal", "--flip"], "k-reciprocal re-ranking, with the mirrored"),
        (["--protocol", "cuhk03-classic", "--repeats", "100", "--test-set", "0"], "100 draws"),
    ],
    ids=["market", "re-ranked", "classic"],
)
def test_cuhk03_has_a_row_for_each_kind_of_boxes(weights: Path, tmp_path: Path, options: list[str], said: str) -> None:
    result = evaluate(weights, "reid", write_cuhk03(tmp_path / "cuhk03"), "tiny-reid", "--json", *options)

    figures = results(result)
    assert list(figures) == ["cuhk03 (labeled), CUHK03 layout", "cuhk03 (detected), CUHK03 layout"]
    assert all(row["rank_1"] == 1 for row in figures.values())
    assert said in json.loads(result.stdout)["title"]


def test_pose_prints_coco_s_ten_figures(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "pose", write_coco(tmp_path), "tiny-pose-17", "--json")

    figures = results(result)["OKS"]
    assert list(figures) == ["AP", "AP50", "AP75", "AP(M)", "AP(L)", "AR", "AR50", "AR75", "AR(M)", "AR(L)"]
    assert 0 <= figures["AP"] <= 1
    assert figures["AP(L)"] is None  # nobody is that large
    assert "person_keypoints_val2017.json, 2 pictures, 2 boxes of the ground truth" in result.stdout


def test_pose_takes_a_detector_s_boxes(weights: Path, tmp_path: Path) -> None:
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [30, 30, 70, 100], "score": 0.5}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))

    result = evaluate(
        weights,
        "pose",
        write_coco(tmp_path / "coco"),
        "tiny-pose-17",
        *("--no-flip", "--detections", str(tmp_path / "boxes.json")),
    )

    assert result.exit_code == 0, result.output
    assert "without the mirrored picture" in result.stdout
    assert "1 boxes of boxes.json" in result.stdout


def test_pose_prints_pckh_by_both_rules(weights: Path, tmp_path: Path) -> None:
    figures = results(evaluate(weights, "pose", write_mpii(tmp_path), "tiny-pose-16", "--json"))

    parts = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean"]
    assert {name: list(row) for name, row in figures.items()} == {
        "PCKh@0.5, HRNet's": [*parts, "mean@0.1"],
        "PCKh@0.5, bearpaw's": parts,
    }


def test_pose_prints_pck_in_torsos_on_leeds_sports_pose(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "pose", write_lsp(tmp_path / "lsp"), "tiny-pose-14", "--json")

    figures = results(result)
    assert {name: list(row) for name, row in figures.items()} == {
        part: ["persons", "PCK@0.2", "PCK@0.2, limbs"] for part in ("upright", "others")
    }
    assert json.loads(result.stdout)["title"] == "tiny-pose-14, with the mirrored picture; lsp: 6 persons"


def test_a_network_of_leeds_sports_pose_gets_the_oks_of_the_common_keypoints_on_coco(
    weights: Path, tmp_path: Path
) -> None:
    result = evaluate(weights, "pose", write_coco(tmp_path), "tiny-pose-14", "--no-flip", "--json")

    figures = results(result)["12 common keypoints"]
    assert figures["persons"] == 2
    assert 0 <= figures["OKS"] <= 1
    assert "2 persons with at least 10 keypoints" in result.stdout


def test_another_skeleton_is_refused_on_leeds_sports_pose(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "pose", write_lsp(tmp_path), "tiny-pose-17")

    assert result.exit_code == 1
    assert "finds coco17, but this table is for lsp14" in result.stderr


def test_gait_prints_mae_and_cumulative_scores(weights: Path, tmp_path: Path) -> None:
    data = write_oulp_age(tmp_path, {"00000001": 30, "00000002": 34, "00000003": 22, "00000004": 50})

    row = results(evaluate(weights, "gait", data, "tiny-gait", "--json"))["test"]
    assert row == {"MAE": 8, "CS(1)": 0.25, "CS(5)": 0.5, "CS(10)": 0.75}


@pytest.mark.parametrize("task", ["reid", "pose", "gait"])
def test_data_of_another_layout_are_refused_with_what_was_looked_for(weights: Path, tmp_path: Path, task: str) -> None:
    result = evaluate(weights, task, tmp_path, {"pose": "tiny-pose-17"}.get(task, f"tiny-{task}"))

    assert result.exit_code == 1
    assert {"reid": "index.csv", "pose": "person_keypoints", "gait": "GEI_IDList_test.txt"}[task] in result.stderr


@pytest.mark.parametrize(
    ("task", "model", "options", "said"),
    [
        ("reid", "unknown", [], "there is no checkpoint 'unknown'; the manifest has tiny-gait, tiny-pose-14"),
        ("reid", "tiny-gait", [], "tiny-gait is a checkpoint for gait, not for reid"),
        ("reid", "tiny-reid", ["--rerank", "k_reciprocal", "--protocol", "cuhk03-classic"], "whole gallery"),
        ("reid", "tiny-reid", ["--device", "nothing"], "--device nothing cannot be used"),
        ("reid", "tiny-reid", ["--boxes", "labeled"], "has one kind of boxes"),
        ("reid", "tiny-reid", ["--protocol", "cuhk03-classic"], "the classic protocol is CUHK03's"),
        ("reid", "tiny-reid", ["--repeats", "100"], "belong to --protocol cuhk03-classic"),
        ("pose", "tiny-pose-17", ["--split", "train2017"], "person_keypoints_train2017.json"),
        ("pose", "tiny-pose-16", [], "tiny-pose-16 finds 16 keypoints, but coco17 has 17"),
    ],
)
def test_what_does_not_go_together_is_refused(
    weights: Path, tmp_path: Path, task: str, model: str, options: list[str], said: str
) -> None:
    write_folders(tmp_path, MARKET)
    write_coco(tmp_path)

    result = evaluate(weights, task, tmp_path, model, *options)

    assert result.exit_code == 1
    assert said in result.stderr


def test_leeds_sports_pose_has_no_parts_to_choose(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "pose", write_lsp(tmp_path), "tiny-pose-14", "--split", "test")

    assert result.exit_code == 1
    assert "--split is for COCO and MPII" in result.stderr


def test_mpii_takes_no_detector_s_boxes(weights: Path, tmp_path: Path) -> None:
    result = evaluate(weights, "pose", write_mpii(tmp_path), "tiny-pose-16", "--detections", "boxes.json")

    assert result.exit_code == 1
    assert "--detections is for COCO" in result.stderr
