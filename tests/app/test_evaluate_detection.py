"""`gaitkeeper evaluate detection` from pictures to a table."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from tests.models.detectors.figures import draw_person, scene

runner = CliRunner()


def evaluate(data: Path, *options: str) -> Result:
    return runner.invoke(main, ["evaluate", "detection", "--data", str(data), *options])


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Penn-Fudan's layout with one person, whom the built-in detector finds."""
    for folder in ("PNGImages", "PedMasks"):
        (tmp_path / folder).mkdir()
    image, mask = scene(), np.zeros((320, 320), np.uint8)
    x1, y1, x2, y2 = draw_person(image, 120, 60)
    mask[y1:y2, x1:x2] = 1
    cv2.imwrite(str(tmp_path / "PNGImages" / "A.png"), image)
    cv2.imwrite(str(tmp_path / "PedMasks" / "A_mask.png"), mask)
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A street that is empty for 15 frames; in the next 5 someone walks along."""
    writer = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    lines = []
    for frame in range(1, 21):
        image = scene((240, 320))
        if frame > 15:
            x1, y1, x2, y2 = draw_person(image, 12 * frame - 100, 60, height=120)
            lines.append(f"{frame},1,{x1 + 1},{y1 + 1},{x2 - x1},{y2 - y1},1")
        writer.write(image)
    writer.release()
    (tmp_path / "walk.gt.txt").write_text("\n".join(lines))
    return tmp_path


def test_the_table_has_recall_precision_and_average_precision(photographs: Path) -> None:
    result = evaluate(photographs, "--json")

    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["results"].values()
    assert row.pop("CPU ms a picture") > 0
    assert row == {"pictures": 1, "persons": 1, "recall": 1.0, "precision": 1.0, "average precision": 1.0}


def test_the_background_learns_from_frames_that_are_not_scored(video: Path) -> None:
    result = evaluate(video, "--detector", "background", "--every", "9", "--json")

    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["results"].values()
    assert (row["pictures"], row["persons"], row["recall"], row["precision"]) == (3, 1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--detector", "background"], "the background detector needs a video"),
        (["--detector", "unknown"], "there is no detector 'unknown'"),
        (["--detector", "exported"], "needs a descriptor file"),
    ],
    ids=["photographs", "unknown", "no descriptor"],
)
def test_what_cannot_be_measured_is_said(photographs: Path, options: list[str], message: str) -> None:
    result = evaluate(photographs, *options)

    assert result.exit_code == 1
    assert message in result.stderr
