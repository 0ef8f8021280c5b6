"""`gaitkeeper evaluate precision` and `gaitkeeper quantize`, and the service that computes in int8."""

import os
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from app.cli import main
from models.checkpoint import sha256_of
from models.golden import write_golden
from models.manifest import write_entry
from tests.app.forking import run
from tests.app.inside import inside
from tests.app.pictures import encode, pattern
from tests.app.test_evaluate import results
from tests.models.runtimes.tiny import GLCNN, PLAIN, Tiny
from tests.training.layouts import MARKET, write_coco, write_folders, write_lsp, write_oulp_age

runner = CliRunner()
POSE = Tiny("hourglass_bearpaw", (3, 64, 64), {"num_stacks": 1, "num_keypoints": 14, "channels": 16}, 0.8)
COCO_POSE = Tiny("hourglass_bearpaw", (3, 64, 64), {"num_stacks": 1, "num_keypoints": 17, "channels": 16}, 0.8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with a tiny network for each task."""
    folder = tmp_path_factory.mktemp("weights")
    for name, task, tiny in (
        ("tiny-reid", "reid", PLAIN),
        ("tiny-pose", "pose", POSE),
        ("tiny-coco", "pose", COCO_POSE),
        ("tiny-gait", "gait", GLCNN),
    ):
        network, file = tiny.build(), f"{name}.safetensors"
        save_file(network.state_dict(), folder / file)
        checkpoint = replace(tiny.checkpoint(sha256_of(folder / file)), name=name, task=task, file=file)
        write_golden(checkpoint, network, folder)
        write_entry(folder, checkpoint)
    return folder


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty different pictures."""
    folder = tmp_path_factory.mktemp("crops")
    for number in range(50):
        (folder / f"{number}.png").write_bytes(encode(np.roll(pattern(), (number, 3 * number), axis=(0, 2))))
    return folder


def command(weights: Path, *words: str) -> Result:
    return runner.invoke(main, [*words, "--weights-dir", str(weights)])


@pytest.mark.parametrize(
    ("precision", "runtime", "alike"), [("fp32", "onnxruntime", 0.99999), ("bf16", "torch", 0.9), ("bf16", "auto", 0.9)]
)
def test_a_re_id_report_sets_two_ways_side_by_side(
    precision: str, runtime: str, alike: float, weights: Path, tmp_path: Path
) -> None:
    data, how = str(write_folders(tmp_path / "market", MARKET)), ("--precision", precision, "--runtime", runtime)

    rows = results(command(weights, "evaluate", "precision", "--data", data, "--model", "tiny-reid", "--json", *how))

    true, other, apart = rows.values()
    assert list(rows) == ["market, torch fp32", f"market, {runtime} {precision}", "market, answers"]
    assert true["rank_1"] == other["rank_1"] == 1
    assert alike <= apart["cosine, lowest"] <= apart["cosine, median"] <= 1 + 1e-6


def test_a_pose_report_says_how_far_keypoints_move_whatever_the_data(weights: Path, tmp_path: Path) -> None:
    coco, lsp = write_coco(tmp_path / "coco"), write_lsp(tmp_path / "lsp")
    common = ("evaluate", "precision", "--json", "--runtime", "openvino", "--precision", "fp32")

    on_coco = results(command(weights, *common, "--data", str(coco), "--model", "tiny-coco"))
    on_lsp = results(command(weights, *common, "--data", str(lsp), "--model", "tiny-pose"))

    assert list(on_coco) == ["coco, OKS, torch fp32", "coco, OKS, openvino fp32", "coco, answers"]
    assert on_coco["coco, OKS, torch fp32"]["AP"] == on_coco["coco, OKS, openvino fp32"]["AP"]
    assert [row.partition(", ")[2] for row in on_lsp] == [
        *("upright, torch fp32", "upright, openvino fp32", "others, torch fp32", "others, openvino fp32", "answers"),
    ]
    for rows in (on_coco, on_lsp):
        assert 0 <= list(rows.values())[-1]["apart, largest pixels"] <= 0.05


def test_a_gait_report_says_how_many_years_ages_differ(weights: Path, tmp_path: Path) -> None:
    data = write_oulp_age(tmp_path / "ages", {"0001": 20, "0002": 60})

    rows = results(command(weights, "evaluate", "precision", "--data", str(data), "--model", "tiny-gait", "--json"))

    assert list(rows) == ["ages, test, torch fp32", "ages, test, auto bf16", "ages, answers"]
    assert rows["ages, test, torch fp32"]["MAE"] == pytest.approx(rows["ages, test, auto bf16"]["MAE"], abs=2)
    assert 0 <= rows["ages, answers"]["apart, median years"] <= rows["ages, answers"]["apart, largest years"] <= 4


def test_a_quantised_network_is_evaluated_and_served(weights: Path, crops: Path, tmp_path: Path) -> None:
    data = write_folders(tmp_path / "market", MARKET)

    made = command(weights, "quantize", "tiny-reid", "--data", str(crops))
    rows = results(
        command(
            weights,
            *("evaluate", "precision", "--data", str(data), "--model", "tiny-reid", "--precision", "int8", "--json"),
        )
    )

    assert made.exit_code == 0, made.output
    title, header, row, path = made.stdout.splitlines()
    assert title == "tiny-reid: int8 and fp32, on 10 pictures held back"
    assert header.split() == ["cosine,", "median", "cosine,", "lowest"]
    assert float(row.split()[-1]) >= 0.95
    assert path == str(weights / "tiny-reid.int8.onnx")
    assert rows["market, auto int8"]["rank_1"] == 1
    assert 0.95 <= rows["market, answers"]["cosine, lowest"] < 0.999999

    async def visit(app: FastAPI, client: httpx.AsyncClient) -> list[float]:
        files = {"image": ("a.png", encode(pattern()), "image/png")}
        embedded: list[float] = (await client.post("/v1/reid/embed", files=files)).json()["embeddings"][0]["embedding"]
        return embedded

    served = {"weights_dir": str(weights), "reid_model": "tiny-reid", "pose_models": "", "gait_models": ""}
    exact, rounded = (inside(tmp_path / how, visit, precision=how, **served) for how in ("fp32", "int8"))
    assert 0.95 <= float(np.dot(exact, rounded)) < 0.999999


def test_the_service_does_not_start_in_int8_without_the_file_and_names_what_writes_it(tmp_path: Path) -> None:
    settings = {"GAITKEEPER_PRECISION": "int8", "GAITKEEPER_POSE_MODELS": "", "GAITKEEPER_GAIT_MODELS": ""}
    settings |= {"GAITKEEPER_WEIGHTS_DIR": str(_with_reid_alone(tmp_path / "weights")), "GAITKEEPER_REID_MODEL": "tiny"}

    code, said = run(
        ["serve", "--data-dir", str(tmp_path / "data"), "--port", "0"], os.environ | settings, tmp_path / "e"
    )

    assert code == 1
    assert "tiny.int8.onnx is missing; `gaitkeeper quantize tiny --data FOLDER` writes it" in said.splitlines()[-1]
    assert "Traceback" not in said


def _with_reid_alone(folder: Path) -> Path:
    folder.mkdir()
    network, checkpoint = PLAIN.build(), PLAIN.checkpoint()
    save_file(network.state_dict(), folder / checkpoint.file)
    checkpoint = replace(checkpoint, sha256=sha256_of(folder / checkpoint.file))
    write_golden(checkpoint, network, folder)
    write_entry(folder, checkpoint)
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["quantize", "nothing", "--data", "."], "there is no checkpoint 'nothing'"),
        (["quantize", "tiny-reid", "--data", "nowhere"], "nowhere has no pictures"),
        (["evaluate", "precision", "--data", ".", "--model", "tiny-gait", "--precision", "int8"], "quantize tiny-gait"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(words: list[str], said: str, weights: Path) -> None:
    result = command(weights, *words)

    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_too_few_pictures_are_told(weights: Path, tmp_path: Path) -> None:
    result = command(weights, "quantize", "tiny-reid", "--data", str(write_folders(tmp_path / "few", MARKET)))

    assert result.exit_code == 1
    assert "there are 7 pictures to quantise by; give at least 40" in result.stderr
