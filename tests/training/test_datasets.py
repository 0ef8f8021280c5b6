from pathlib import Path

import numpy as np
import pytest

from tests.training.layouts import MARKET, write_folders, write_indexed
from training.datasets import concatenate, load_reid, read_crops


def test_the_official_market_layout_is_read_and_junk_left_out(tmp_path: Path) -> None:
    write_folders(tmp_path, MARKET)

    train, gallery = load_reid(tmp_path, "train"), load_reid(tmp_path, "gallery")

    assert (train.identities.tolist(), train.cameras.tolist()) == ([2, 2, 7], [1, 3, 2])
    assert sorted(gallery.identities.tolist()) == [0, 3]
    assert train.images[0].shape == (32, 16, 3)


def test_the_indexed_layout_is_read_out_of_its_zip(tmp_path: Path) -> None:
    write_indexed(tmp_path)

    assert load_reid(tmp_path, "train").names == ["a.jpg", "b.jpg"]
    assert load_reid(tmp_path, "train", boxes="detected").names == ["b.jpg"]
    assert [(crop.identity, crop.camera) for crop in read_crops(tmp_path)] == [(9, 1)]


def test_joined_data_sets_keep_their_people_apart(tmp_path: Path) -> None:
    write_folders(tmp_path, MARKET)
    part = load_reid(tmp_path, "train")

    both = concatenate([part, part])

    assert len(np.unique(both.identities)) == 4
    assert both.subset([0, 3]).names == [part.names[0], part.names[0]]


@pytest.mark.parametrize("split", ["train", "query"])
def test_a_folder_without_any_layout_says_what_was_looked_for(tmp_path: Path, split: str) -> None:
    with pytest.raises(ValueError, match=r"looked for index\.csv .*bounding_box_train"):
        load_reid(tmp_path, split)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path, MARKET)
    (tmp_path / "query" / "0003_c1s1_1_0.jpg").write_bytes(b"text")

    with pytest.raises(ValueError, match=r"0003_c1s1_1_0\.jpg is not a picture"):
        load_reid(tmp_path, "query")


def test_a_folder_without_crops_says_how_they_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="named like"):
        read_crops(tmp_path)
