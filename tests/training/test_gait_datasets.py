"""OULP-Age's layout, and what is said when something is missing."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.app.pictures import pattern
from tests.training.layouts import write_oulp_age
from training.gait_datasets import load_oulp_age, read_gei

SUBJECTS = {"00000007": 31, "00012340": 8}


@pytest.mark.parametrize("split", ["train", "test"])
def test_subjects_of_a_list_get_their_picture_and_age(tmp_path: Path, split: str) -> None:
    data = load_oulp_age(write_oulp_age(tmp_path, SUBJECTS), split)

    assert data.paths == [tmp_path / "GEI" / "00000007.png", tmp_path / "GEI" / "00012340.png"]
    assert data.ages.tolist() == [31, 8]
    assert data.source.endswith(f"GEI_IDList_{split}.txt, 2 subjects")


@pytest.mark.parametrize("lost", ["GEI_IDList_test.txt", "Age_gender_info.csv", "GEI", "GEI/00012340.png"])
def test_what_is_missing_is_named_with_its_place(tmp_path: Path, lost: str) -> None:
    path = write_oulp_age(tmp_path, SUBJECTS) / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

    with pytest.raises(ValueError, match=str(path)):
        load_oulp_age(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("Age_gender_info.csv", "ID,Age,Gender\n7,31,F\n", "has no age of 00012340"),
        ("Age_gender_info.csv", "ID,Age,Gender\n7,old,F\n", "a number and an age in each line"),
        ("GEI_IDList_test.txt", "\n", "names nobody"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    (write_oulp_age(tmp_path, SUBJECTS) / name).write_text(content)

    with pytest.raises(ValueError, match=said):
        load_oulp_age(tmp_path)


def test_an_unknown_half_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose from train, test"):
        load_oulp_age(write_oulp_age(tmp_path, SUBJECTS), "valid")


def test_a_gait_energy_image_is_read_as_grey(tmp_path: Path) -> None:
    write_oulp_age(tmp_path, SUBJECTS)
    (tmp_path / "text.png").write_bytes(b"text")

    assert np.array_equal(read_gei(tmp_path / "GEI" / "00000007.png"), pattern(128, 88)[..., 0])
    with pytest.raises(ValueError, match=r"text\.png is not a picture"):
        read_gei(tmp_path / "text.png")
