"""Real silhouettes without ages, in CASIA-A's layout."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.gait.gei import gait_energy_image
from training.gait_sequences import is_casia, load_casia
from training.walker import render_walk

SIZE = (64, 44)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three walks of two people, one of them without anybody in it."""
    root = tmp_path / "casia"
    for number, name in enumerate(("fyc/00_1", "fyc/90_2", "ljg/00_1")):
        (root / name).mkdir(parents=True)
        for t, frame in enumerate(render_walk(7, number, age=30, noisy=False).silhouettes):
            shown = np.zeros_like(frame) if name == "ljg/00_1" else frame
            cv2.imwrite(str(root / name / f"{name.replace('/', '-')}-{t:03d}.png"), shown * np.uint8(255))
    return root


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_walks_are_read_with_their_views_and_empty_ones_are_left_out(folder: Path, packed: bool) -> None:
    path = zipped(folder) if packed else folder

    walks = load_casia(path, SIZE)

    expected = gait_energy_image(render_walk(7, 0, age=30, noisy=False).silhouettes, SIZE).image
    assert is_casia(path)
    assert walks.views == ["00", "90"]
    assert np.abs(walks.geis[0] / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert walks.source.endswith(": 2 walks")


def test_other_folders_are_not_taken_for_silhouettes(tmp_path: Path) -> None:
    (tmp_path / "GEI").mkdir()
    (tmp_path / "GEI" / "0001.png").write_bytes(b"")

    assert not is_casia(tmp_path)
    assert not is_casia(tmp_path / "nothing")
    with pytest.raises(ValueError, match="SUBJECT/VIEW_TAKE"):
        load_casia(tmp_path, SIZE)


def test_a_broken_picture_is_named(folder: Path) -> None:
    (folder / "fyc" / "00_1" / "fyc-00_1-003.png").write_bytes(b"text")

    with pytest.raises(ValueError, match=r"fyc-00_1-003\.png is not a picture"):
        load_casia(folder, SIZE)
