from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from app.cli import main
from app.samples import sample_crops

runner = CliRunner()


def test_the_demo_finds_drawn_people_and_shows_them(tmp_path: Path) -> None:
    result = runner.invoke(main, ["demo", "--out", str(tmp_path), "--queries", "3"])

    assert result.exit_code == 0, result.output
    assert "enrolled 12 people, 24 shots" in result.output
    assert "rank-1 over all 12 people" in result.output
    with Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.height > 3 * 176


def test_a_folder_without_pictures_is_an_error_that_says_how_they_are_named(tmp_path: Path) -> None:
    result = runner.invoke(main, ["demo", "--data", str(tmp_path)])

    assert result.exit_code == 1
    assert "0002_c1s1_000451_03.jpg" in result.output


def test_sample_pictures_are_the_same_every_time() -> None:
    assert sample_crops(2, 2) == sample_crops(2, 2)
