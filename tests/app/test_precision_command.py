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
    folder = _with_reid_alone(tmp_path / "weights")

    assert "tiny.int8.onnx is missing; `gaitkeeper quantize tiny --data FOLDER` writes it" in _refusal(folder, tmp_path)


def test_the_service_does_not_start_with_a_bad_int8_golden_sample_and_names_what_writes_it(
    crops: Path, tmp_path: Path
) -> None:
    folder = _with_reid_alone(tmp_path / "weights")
    assert command(folder, "quantize", "tiny", "--data", str(crops)).exit_code == 0
    path = folder / "golden" / "tiny.int8.npy"
    true, remedy = np.load(path), "`gaitkeeper quantize tiny --data FOLDER` writes it anew"

    path.write_bytes(b"")
    assert f"the golden sample of tiny.int8, {path}, is damaged; {remedy}" in _refusal(folder, tmp_path)

    true[0] += 4
    np.save(path, true)
    assert f"tiny does not reproduce its golden sample on cpu ({path}); {remedy}" in _refusal(folder, tmp_path)


def test_the_service_says_in_which_precision_each_network_runs_and_warns_of_low_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def visit(app: FastAPI, client: httpx.AsyncClient) -> set[tuple[str, str]]:
        served = (await client.get("/v1/models")).json()["models"]
        return {(one["runtime"], one["precision"]) for one in served}

    alone = {"weights_dir": str(_with_reid_alone(tmp_path / "weights")), "reid_model": "tiny"}
    warning = "tiny computes in bf16: embeddings of other precisions are close, but not the same"

    assert inside(tmp_path, visit, precision="fp32", runtime="torch", **alone) == {("torch", "fp32")}
    assert warning not in caplog.text
    assert inside(tmp_path, visit, precision="bf16", runtime="openvino", **alone) == {("openvino", "bf16")}
    assert warning in caplog.text


def _refusal(folder: Path, scratch: Path) -> str:
    """The last line of a service that cannot start in int8 with these weights."""
    settings = {"GAITKEEPER_PRECISION": "int8", "GAITKEEPER_POSE_MODELS": "", "GAITKEEPER_GAIT_MODELS": ""}
    settings |= {"GAITKEEPER_WEIGHTS_DIR": str(folder), "GAITKEEPER_REID_MODEL": "tiny"}

    code, said = run(
        ["serve", "--data-dir", str(scratch / "data"), "--port", "0"], os.environ | settings, scratch / "e"
    )

    assert code == 1
    assert "Traceback" not in said
    return said.splitlines()[-1]


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
        (["quantize", "nothing", "--data", "crops"], "there is no checkpoint 'nothing'"),
        (["quantize", "tiny-reid", "--data", ""], "there are no data at ''"),
        (["quantize", "tiny-reid", "--data", "nowhere"], "there are no data at 'nowhere'"),
        (["quantize", "tiny-gait", "--data", "nowhere"], "there are no data at 'nowhere'"),
        (["quantize", "tiny-reid", "--data", "file"], "file is no folder"),
        (["quantize", "tiny-gait", "--data", "file"], "file is no folder, no zip file and no synthetic:SEED:COUNT"),
        (["quantize", "tiny-reid", "--data", "empty"], "empty has no pictures (.jpeg, .jpg, .png), and no index.csv"),
        (["quantize", "tiny-reid", "--data", "few"], "--data few has 7 pictures; int8 needs at least 40"),
        (["quantize", "tiny-reid", "--data", "mixed"], "mixed/notes.png is not a picture that can be read"),
        (["quantize", "tiny-reid", "--data", "few", "--data", "few"], "--data is given more than once"),
        (["quantize", "tiny-reid", "--data", "few", "--out", "file"], "--out file is a file; give a folder"),
    ],
)
def test_what_quantize_cannot_use_is_told_in_one_line(
    words: list[str], said: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folders(Path("few"), MARKET)
    write_folders(Path("mixed"), MARKET)
    Path("mixed/notes.png").write_text("no picture")
    Path("mixed/folder.png").mkdir()
    Path("empty").mkdir()
    Path("file").write_text("neither a folder nor a zip file")

    result = command(weights, *words)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


def test_a_folder_in_the_place_of_an_int8_file_is_told_in_one_line(weights: Path, crops: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "tiny-reid.int8.onnx"
    in_the_way.mkdir()

    result = command(weights, "quantize", "tiny-reid", "--data", str(crops), "--out", str(tmp_path))

    assert (result.exit_code, result.stderr) == (1, f"error: {in_the_way}: Is a directory\n")


def test_a_comparison_in_int8_without_the_file_names_what_writes_it(weights: Path) -> None:
    how = ("--data", ".", "--model", "tiny-gait", "--precision", "int8")

    result = command(weights, "evaluate", "precision", *how)

    assert result.exit_code == 1
    assert "`gaitkeeper quantize tiny-gait --data FOLDER` writes it" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("quantize", "tiny-reid", "--data", "."),
        ("export", "tiny-reid", "--out", "."),
        ("evaluate", "precision", "--data", "."),
    ],
)
def test_a_folder_without_weights_is_told_in_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    result = command(tmp_path / "nowhere", *words)

    assert result.exit_code == 2
    assert "nowhere has no manifest.toml; --weights-dir chooses another" in result.stderr
    assert result.stderr.count("\n") == 1
