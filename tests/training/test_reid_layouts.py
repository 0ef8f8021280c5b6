"""Layouts of re-identification data sets, and what is said when something of one is missing."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.training.layouts import DUKE, MARKET, write_cuhk03, write_folders, write_indexed, write_msmt17
from training.reid_layouts import Wanted, find_layout, list_crops, read_pictures


def who_and_where(root: Path, wanted: Wanted) -> list[tuple[int, int]]:
    return [(crop.identity, crop.camera) for crop in list_crops(root, wanted)]


def test_market_and_duke_share_a_layout(tmp_path: Path) -> None:
    market, duke = write_folders(tmp_path / "market", MARKET), write_folders(tmp_path / "duke", DUKE)

    assert who_and_where(market, Wanted("train")) == [(2, 1), (2, 3), (7, 2)]
    assert who_and_where(duke, Wanted("gallery")) == [(5, 8), (6, 1)]
    assert {find_layout(root).name for root in (market, duke)} == {"Market-1501"}


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")], ids=["v1", "v2"])
def test_msmt17_is_read_by_its_lists_and_trained_on_with_its_validation_part(
    tmp_path: Path, folders: tuple[str, str]
) -> None:
    root = write_msmt17(tmp_path, *folders)

    assert who_and_where(root, Wanted("train")) == [(0, 1), (1, 14)]
    assert who_and_where(root, Wanted("query")) == [(0, 5)]
    assert who_and_where(root, Wanted("gallery")) == [(0, 11), (1, 5)]


def test_cuhk03_is_read_as_rga_prepares_it_in_both_protocols(tmp_path: Path) -> None:
    root = write_cuhk03(tmp_path)

    assert who_and_where(root, Wanted("query", "labeled")) == [(1, 1)]
    assert who_and_where(root, Wanted("gallery", "detected")) == [(1, 2)] * 2 + [(2, 1)] * 2 + [(2, 2)] * 2
    assert len(list_crops(root, Wanted("query", "labeled", classic_set=0))) == 8
    assert who_and_where(root, Wanted("query", "labeled", classic_set=1)) == [(2, 1)] * 2 + [(2, 2)] * 2
    assert list_crops(root, Wanted("query", "labeled"))[0].path == root / "images_labeled" / "1_001_1_01.png"


def test_cuhk03_np_is_market_s_layout_twice(tmp_path: Path) -> None:
    for boxes in ("labeled", "detected"):
        write_folders(tmp_path / boxes, {"query": ["0008_c1_21.png"], "bounding_box_test": ["0008_c2_22.png"]})

    assert find_layout(tmp_path).boxes(tmp_path) == ("labeled", "detected")
    assert who_and_where(tmp_path, Wanted("gallery", "detected")) == [(8, 2)]


def test_an_indexed_folder_says_which_boxes_its_test_part_has(tmp_path: Path) -> None:
    root = write_indexed(tmp_path)

    assert find_layout(root).boxes(root) == ("labeled",)
    assert [len(data) > 100 for data in read_pictures(list_crops(root, Wanted("train")))] == [True, True]


def test_an_index_without_a_zip_file_lies_beside_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("file,pid,cam,split\na.jpg,5,1,query\n")
    (tmp_path / "a.jpg").write_bytes(b"picture")

    crops = list_crops(tmp_path, Wanted("query"))

    assert read_pictures(crops) == [b"picture"]
    assert find_layout(tmp_path).boxes(tmp_path) == ()


def test_an_unknown_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"looked for index\.csv .*bounding_box_test.*list_query\.txt"):
        find_layout(tmp_path)
    (tmp_path / "cuhk03_release").mkdir()
    with pytest.raises(ValueError, match=r"cuhk-03\.mat, which RGA's code unpacks"):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("lost", "wanted"),
    [
        ("market/bounding_box_test", Wanted("gallery")),
        ("msmt17/list_gallery.txt", Wanted("gallery")),
        ("cuhk03/splits_classic_labeled.json", Wanted("query", "labeled", classic_set=0)),
        ("cuhk03/images_detected", Wanted("query", "detected")),
        ("msmt17/test/0000/0000_000_05_0303morning_0037_0.jpg", Wanted("query")),
        ("cuhk03/images_labeled/1_001_1_01.png", Wanted("query", "labeled")),
    ],
)
def test_what_is_missing_is_named_with_its_place(tmp_path: Path, lost: str, wanted: Wanted) -> None:
    write_folders(tmp_path / "market", MARKET)
    write_msmt17(tmp_path / "msmt17")
    write_cuhk03(tmp_path / "cuhk03")
    path = tmp_path / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

    with pytest.raises(ValueError, match=str(path)):
        list_crops(tmp_path / lost.split("/")[0], wanted)


def test_msmt17_without_pictures_names_the_folders_of_both_versions(tmp_path: Path) -> None:
    shutil.rmtree(write_msmt17(tmp_path) / "test")

    with pytest.raises(ValueError, match="no test or mask_test_v2"):
        list_crops(tmp_path, Wanted("query"))


def test_a_picture_that_is_not_in_the_zip_file_is_named(tmp_path: Path) -> None:
    root = write_indexed(tmp_path)
    with (root / "index.csv").open("a") as file:
        file.write("lost.jpg,9,2,labeled,gallery\n")

    with pytest.raises(ValueError, match=r"pictures\.zip lacks 1 of 1 pictures; the first is images/lost\.jpg"):
        list_crops(root, Wanted("gallery"))


def test_an_index_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("file,pid,split\na.jpg,5,query\n")

    with pytest.raises(ValueError, match="no column cam"):
        list_crops(tmp_path, Wanted("query"))


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (b"file,pid,cam,split\na.jpg,anna,1,train\n", "index.csv: a.jpg has pid 'anna' and cam '1'; both are whole"),
        (b"\xff\xfe\x00", "index.csv is no table of comma-separated values: 'utf-8' codec can't decode"),
        (b"file,pid,cam,split\n" + b"a" * 200_000, "index.csv is no table of comma-separated values: field larger"),
        (b"file,split,pid,cam\na.jpg,train\n", "index.csv: a.jpg has pid None and cam None; both are whole"),
    ],
    ids=["a name for a number", "no text", "one long word", "half a line"],
)
def test_an_index_that_cannot_be_read_is_named(tmp_path: Path, index: bytes, said: str) -> None:
    (write_indexed(tmp_path) / "index.csv").write_bytes(index)

    with pytest.raises(ValueError, match=re.escape(said)):
        list_crops(tmp_path, Wanted("train"))


def test_a_damaged_picture_in_a_zip_file_is_named(tmp_path: Path) -> None:
    crops = list_crops(write_indexed(tmp_path), Wanted("train"))
    whole = crops[0].path.read_bytes()
    middle = whole.index(b"images/a.jpg") + 200
    crops[0].path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])

    with pytest.raises(ValueError, match=r"images/a\.jpg in .*pictures\.zip is damaged: Bad CRC-32"):
        read_pictures(crops)


def test_choices_that_a_data_set_does_not_have_are_refused(tmp_path: Path) -> None:
    market, cuhk03 = write_folders(tmp_path / "market", MARKET), write_cuhk03(tmp_path / "cuhk03")

    with pytest.raises(ValueError, match="one kind of boxes"):
        list_crops(market, Wanted("query", "labeled"))
    with pytest.raises(ValueError, match="choose from train, query, gallery"):
        list_crops(market, Wanted("test"))
    with pytest.raises(ValueError, match="labeled and detected, not None"):
        list_crops(cuhk03, Wanted("query"))
    with pytest.raises(ValueError, match="the sets 0 to 1, not 2"):
        list_crops(cuhk03, Wanted("query", "labeled", classic_set=2))
    with pytest.raises(ValueError, match="no images in the split 'train' with boxes 'labeled'"):
        list_crops(cuhk03, Wanted("train", "labeled"))


def test_a_list_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = write_cuhk03(tmp_path) / "splits_new_labeled.json"
    path.write_text(json.dumps([])[:1])

    with pytest.raises(ValueError, match=f"{path} is not JSON"):
        list_crops(tmp_path, Wanted("query", "labeled"))
