import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from app.commands.gait import find_jobs
from tests.app.gait_weights import write_glcnn
from tests.app.walks import gei_picture, pngs, video, zipped_walk

runner = CliRunner()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one gait network, which the environment names."""
    folder = tmp_path / "weights"
    write_glcnn(folder)
    monkeypatch.setenv("GAITKEEPER_WEIGHTS_DIR", str(folder))
    return folder


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """A folder with a walk in a folder of its own, one in a zip file, a bad one, and a video."""
    folder = tmp_path / "walks"
    (folder / "anna").mkdir(parents=True)
    for index, file in enumerate(pngs()):
        (folder / "anna" / f"{index}.png").write_bytes(file)
    (folder / "ben.zip").write_bytes(zipped_walk())
    (folder / "bad.zip").write_bytes(b"PK no zip")
    video(folder / "door.avi")
    return folder


def run(*arguments: object) -> Result:
    return runner.invoke(main, ["gait", *map(str, arguments)])


@pytest.mark.usefixtures("weights")
def test_every_walk_gets_a_line_a_picture_and_a_file_though_one_is_bad(walks: Path, tmp_path: Path) -> None:
    result = run(walks, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "bad: silhouettes: the archive cannot be read" in result.stderr
    assert "1 of 4 could not be used" in result.stderr
    assert "anna: " in result.stdout
    assert "with 90 %" in result.stdout
    assert "synthetic_training_data" in result.stdout
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["anna.json", "anna.png", "ben.json", "ben.png", "door-track1.png", "door.json"]
    assert json.loads((tmp_path / "out" / "anna.json").read_text())["sequence"]["frames"] == 36


@pytest.mark.usefixtures("weights")
def test_json_is_one_object_a_line(walks: Path, tmp_path: Path) -> None:
    (tmp_path / "gei.png").write_bytes(gei_picture())

    result = run(tmp_path / "gei.png", walks / "ben.zip", "--gei", "--json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert sorted(line["sequence"]["frames"] or 0 for line in lines) == [0, 36]


def test_loose_pictures_are_one_walk_and_folders_one_each(walks: Path) -> None:
    loose = sorted((walks / "anna").iterdir())

    assert [(job.name, job.kind, len(job.files)) for job in find_jobs(loose)] == [("anna", "walk", 36)]
    assert sorted(job.name for job in find_jobs([walks])) == ["anna", "bad", "ben", "door"]


@pytest.mark.parametrize("sources", [["nothing.png"], ["empty"], ["notes.txt"]])
def test_sources_without_walks_are_refused(tmp_path: Path, sources: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no walk")

    result = run(*(tmp_path / source for source in sources))

    assert result.exit_code == 1
    assert "notes.txt" in result.stderr or "does not exist" in result.stderr or "no pictures" in result.stderr
