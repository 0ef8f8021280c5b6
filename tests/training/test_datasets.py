import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.app.pictures import encode, pattern
from training.datasets import concatenate, load_reid, read_crops


def write_market(root: Path) -> None:
    for folder, names in {
        "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c3s1_000551_01.jpg", "0007_c2s3_1_1.jpg", "Thumbs.db"],
        "query": ["0003_c1s1_1_0.jpg"],
        "bounding_box_test": ["0003_c2s1_1_0.jpg", "-1_c2s1_1_0.jpg", "0000_c3s1_1_0.jpg"],
    }.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).write_bytes(encode(pattern(), "JPEG"))


def write_indexed(root: Path) -> None:
    rows = [
        "file,pid,cam,boxes,split",
        "a.jpg,5,1,labeled,train",
        "b.jpg,5,2,detected,train",
        "c.jpg,9,1,labeled,query",
    ]
    (root / "index.csv").write_text("\n".join(rows) + "\n")
    with zipfile.ZipFile(root / "pictures.zip", "w") as archive:
        for name in ("images/a.jpg", "b.jpg", "images/c.jpg"):
            archive.writestr(name, encode(pattern(), "JPEG"))


def test_the_official_market_layout_is_read_and_junk_left_out(tmp_path: Path) -> None:
    write_market(tmp_path)

    train, gallery = load_reid(tmp_path, "train"), load_reid(tmp_path, "gallery")

    assert (train.identities.tolist(), train.cameras.tolist()) == ([2, 2, 7], [1, 3, 2])
    assert sorted(gallery.identities.tolist()) == [0, 3]
    assert train.images[0].shape == (64, 32, 3)


def test_the_indexed_layout_is_read_out_of_its_zip(tmp_path: Path) -> None:
    write_indexed(tmp_path)

    assert load_reid(tmp_path, "train").names == ["a.jpg", "b.jpg"]
    assert load_reid(tmp_path, "train", boxes="detected").names == ["b.jpg"]
    assert [(crop.identity, crop.camera) for crop in read_crops(tmp_path)] == [(9, 1)]


def test_joined_data_sets_keep_their_people_apart(tmp_path: Path) -> None:
    write_market(tmp_path)
    part = load_reid(tmp_path, "train")

    both = concatenate([part, part])

    assert len(np.unique(both.identities)) == 4
    assert both.subset([0, 3]).names == [part.names[0], part.names[0]]


@pytest.mark.parametrize("split", ["train", "query"])
def test_a_folder_without_either_layout_says_what_was_looked_for(tmp_path: Path, split: str) -> None:
    with pytest.raises(ValueError, match=r"neither index\.csv nor a folder"):
        load_reid(tmp_path, split)


def test_a_folder_without_crops_says_how_they_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="named like"):
        read_crops(tmp_path)
