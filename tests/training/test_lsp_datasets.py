"""Leeds Sports Pose in each of its layouts."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.keypoints import LSP_14
from tests.app.pictures import encode, pattern
from tests.training.layouts import LSP_POINTS, write_lsp
from training.lsp_datasets import KEYPOINTS, is_lsp, load_lsp

scipy_io = pytest.importorskip("scipy.io", reason="writing .mat files needs scipy")


def test_a_table_with_a_zip_file_is_read(tmp_path: Path) -> None:
    data = load_lsp(write_lsp(tmp_path / "lsp", persons=3))

    assert len(data) == 3
    assert data.source == "lsp: 3 persons"
    assert np.array_equal(data.points[1], LSP_POINTS + 1)
    assert data.visible.sum(axis=1).tolist() == [14, 13, 14]
    assert data.upright.tolist() == [True, False, True]
    assert data.images[0].shape == (80, 80, 3)


def test_pictures_may_lie_in_a_folder(tmp_path: Path) -> None:
    root = write_lsp(tmp_path, persons=2)
    with zipfile.ZipFile(root / "crops.zip") as archive:
        archive.extractall(root)
    (root / "crops.zip").unlink()

    assert len(load_lsp(root)) == 2


def test_a_part_keeps_its_order(tmp_path: Path) -> None:
    part = load_lsp(write_lsp(tmp_path)).subset([4, 1])

    assert part.names == ["im4.jpg", "im1.jpg"]
    assert part.upright.tolist() == [True, False]
    assert np.array_equal(part.points[0], LSP_POINTS + 4)


@pytest.mark.parametrize("extended", [False, True])
def test_the_authors_files_are_read_in_both_layouts(tmp_path: Path, extended: bool) -> None:
    table = np.zeros((2, 14, 3))
    table[..., :2] = LSP_POINTS
    table[1, 6, 2] = 1  # visible in the extension, hidden in the first data set
    shape = (1, 2, 0) if extended else (2, 1, 0)
    scipy_io.savemat(tmp_path / "joints.mat", {"joints": table.transpose(shape)})
    (tmp_path / "images").mkdir()
    for number in (1, 2):
        name = f"im{number:05d}.jpg" if extended else f"im{number:04d}.jpg"
        (tmp_path / "images" / name).write_bytes(encode(pattern(), "JPEG"))

    data = load_lsp(tmp_path)

    assert np.array_equal(data.points, np.stack((LSP_POINTS, LSP_POINTS)))
    assert data.visible[1, 6] == extended
    assert data.visible[0, 6] == (not extended)
    assert not data.upright.any()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = write_lsp(tmp_path)
    table = (root / "joints.csv").read_text()

    (root / "joints.csv").write_text(table + table.splitlines()[1].replace("im0.jpg", "im99.jpg") + "\n")
    with pytest.raises(ValueError, match=r"im99\.jpg"):
        load_lsp(root)
    (root / "joints.csv").write_text(table.replace("r_wrist_x", "wrist_x"))
    with pytest.raises(ValueError, match="r_wrist_x"):
        load_lsp(root)
    (root / "joints.csv").write_text(table.splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="lists nobody"):
        load_lsp(root)
    (root / "joints.csv").write_text(table)
    (root / "crops.zip").unlink()
    with pytest.raises(ValueError, match="neither a folder images nor a zip file"):
        load_lsp(root)


def test_a_folder_is_known_by_its_table(tmp_path: Path) -> None:
    assert not is_lsp(tmp_path)
    assert is_lsp(write_lsp(tmp_path))


def test_columns_are_the_keypoints_of_the_skeleton_in_order() -> None:
    long = {"r": "right", "l": "left"}
    named = [
        f"{long[side]}_{part}" if side in long else name
        for name in KEYPOINTS
        for side, _, part in [name.partition("_")]
    ]

    assert tuple(named) == LSP_14.keypoints


@pytest.mark.shared
def test_the_training_crops_are_read(shared: Path) -> None:
    data = load_lsp(shared / "data" / "lspet-train")

    assert len(data) == 5692
    assert {image.shape for image in data.images} == {(160, 160, 3)}
    assert data.visible.sum(axis=1).min() == 12
