import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from app.commands.pose import picture_files
from app.samples import sample_crops
from tests.app.pose_weights import write_hourglass

runner = CliRunner()
PERSON = sample_crops(1, 1)[0].jpeg


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one pose network, which the environment names."""
    folder = tmp_path / "weights"
    write_hourglass(folder, "tiny", 14)
    monkeypatch.setenv("GAITKEEPER_WEIGHTS_DIR", str(folder))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two good pictures, one bad one, and something else."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(PERSON)
    (folder / "more" / "a.jpg").write_bytes(PERSON)
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


def run(*arguments: object) -> Result:
    return runner.invoke(main, ["pose", *map(str, arguments)])


@pytest.mark.usefixtures("weights")
def test_every_picture_is_answered_though_one_is_bad(pictures: Path, tmp_path: Path) -> None:
    result = run(pictures, "--out", tmp_path / "out", "--render")

    assert result.exit_code == 1
    assert "b.png: image is not a picture" in result.stderr
    assert "1 of 3 pictures could not be used" in result.stderr
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["a.jpg.json", "a.jpg.png", "more/a.jpg.json", "more/a.jpg.png"]
    answer = json.loads((tmp_path / "out" / "more" / "a.jpg.json").read_text())
    assert (answer["file"], answer["model"], answer["status"]) == ("more/a.jpg", "tiny", "ok")
    assert (answer["width"], answer["height"]) == (128, 256)
    assert isinstance(answer["persons"], list)
    drawn = cv2.imread(str(tmp_path / "out" / "a.jpg.png"))
    assert drawn is not None
    assert drawn.shape == (256, 128, 3)


@pytest.mark.usefixtures("weights")
def test_json_is_a_line_for_each_picture(pictures: Path) -> None:
    result = run(pictures / "a.jpg", pictures / "more" / "a.jpg", "--json")

    assert result.exit_code == 0, result.output
    assert sorted(json.loads(line)["file"] for line in result.stdout.splitlines()) == ["a.jpg", "more/a.jpg"]


def test_without_a_model_it_is_told_how_to_get_one(pictures: Path, weights: Path) -> None:
    (weights / "tiny.safetensors").unlink()

    result = run(pictures)

    assert result.exit_code == 1
    assert "gaitkeeper weights pull" in result.stderr


@pytest.mark.usefixtures("weights")
def test_an_unknown_model_or_detector_is_told(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no pose checkpoint 'nobody'" in run(pictures, "--model", "nobody").stderr

    monkeypatch.setenv("GAITKEEPER_DETECTOR", "nobody")

    assert "no detector 'nobody'" in run(pictures).stderr


def test_a_folder_without_pictures_and_drawing_to_nowhere_are_refused(tmp_path: Path) -> None:
    assert "no pictures" in run(tmp_path).stderr
    assert "does not exist" in run(tmp_path / "nothing.jpg").stderr
    assert "--out DIR" in run(tmp_path, "--render").stderr


def test_a_file_that_is_named_twice_is_done_once(pictures: Path) -> None:
    files = picture_files([pictures, pictures / "a.jpg", pictures / "more"])

    assert [name.as_posix() for name in files.values()] == ["a.jpg", "b.png", "more/a.jpg"]
