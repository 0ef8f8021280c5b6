import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import main
from app.samples import sample_crops

runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def said(folder: Path) -> str:
    """What the demo prints about its own pictures."""
    settings = {"GAITKEEPER_DATA_DIR": str(folder / "data"), "GAITKEEPER_RUNTIME": "torch"}
    result = runner.invoke(main, ["demo", "--out", str(folder), "--queries", "3"], env=settings)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_demo_finds_drawn_people_and_shows_them(said: str, folder: Path) -> None:
    assert "enrolled 12 people, 24 shots" in said
    assert "rank-1 over all 12 people" in said
    with Image.open(folder / "contact-sheet.png") as sheet:
        assert sheet.height > 3 * 176


def test_the_demo_finds_the_poses_of_drawn_people(said: str, folder: Path) -> None:
    assert "street.jpg: 3 persons" in said
    assert said.count("  a person in (") == 3
    with Image.open(folder / "street.jpg") as street, Image.open(folder / "pose" / "street.jpg.png") as drawn:
        assert drawn.size == street.size


def test_the_demo_tells_the_ages_of_rendered_walkers(said: str, folder: Path) -> None:
    told = {age: re.search(rf"rendered-{age}-years: (\d+) years", said) for age in (8, 30, 75)}

    years = [int(match[1]) for match in told.values() if match]
    assert len(years) == 3
    assert years == sorted(years)
    assert len(list((folder / "gait").glob("rendered-*.png"))) == 3


def test_a_folder_without_pictures_is_an_error_that_says_how_they_are_named(tmp_path: Path) -> None:
    result = runner.invoke(main, ["demo", "--data", str(tmp_path)])

    assert result.exit_code == 1
    assert "0002_c1s1_000451_03.jpg" in result.output


def test_sample_pictures_are_the_same_every_time() -> None:
    assert sample_crops(2, 2) == sample_crops(2, 2)
