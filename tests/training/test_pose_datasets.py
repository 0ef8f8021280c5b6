"""COCO's and MPII's layouts, and what is said when something is missing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.app.pictures import pattern, rotated_by_exif
from tests.training.layouts import SKELETON, write_coco, write_mpii
from training.pose_datasets import is_mpii, load_coco, load_mpii, read_picture


def test_true_boxes_are_those_of_persons_with_keypoints_cut_as_hrnet_does(tmp_path: Path) -> None:
    data = load_coco(write_coco(tmp_path))

    assert data.boxes.tolist() == [[30, 30, 99, 129], [90, 30, 159, 129]]
    assert data.box_scores.tolist() == [1, 1]
    assert data.image_ids.tolist() == [1, 2]
    assert [path.name for path in data.paths] == ["000000000001.jpg", "000000000002.jpg"]
    assert "person_keypoints_val2017.json, 2 pictures, 2 boxes of the ground truth" in data.source


def test_a_box_that_leaves_the_picture_is_cut(tmp_path: Path) -> None:
    path = write_coco(tmp_path) / "annotations" / "person_keypoints_val2017.json"
    truth = json.loads(path.read_text())
    truth["annotations"][0]["bbox"] = [-10, 100, 400, 100]
    path.write_text(json.dumps(truth))

    assert load_coco(tmp_path).boxes[0].tolist() == [0, 100, 199, 159]


def test_a_detector_s_boxes_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"image_id": 2, "category_id": 1, "bbox": [-5, 10.5, 50, 80], "score": 0.25},
        {"image_id": 2, "category_id": 3, "bbox": [0, 0, 10, 10], "score": 0.9},
        {"image_id": 77, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))

    data = load_coco(write_coco(tmp_path / "coco"), detections=tmp_path / "boxes.json")

    assert data.boxes.tolist() == [[-5, 10.5, 45, 90.5]]
    assert data.box_scores.tolist() == [0.25]
    assert data.source.endswith("1 boxes of boxes.json")


@pytest.mark.parametrize("pictures", ["images/val2017", "val2017", "images"])
def test_coco_s_pictures_are_found_where_people_keep_them(tmp_path: Path, pictures: str) -> None:
    data = load_coco(write_coco(tmp_path, pictures))

    assert data.paths[0] == tmp_path / pictures / "000000000001.jpg"


def test_a_split_that_is_asked_for_is_not_replaced_by_what_is_there(tmp_path: Path) -> None:
    root = write_coco(tmp_path, "images")
    listed = root / "annotations" / "person_keypoints_val2017.json"
    assert load_coco(root, "val2017").source.startswith(f"{tmp_path.name}: {listed.name}")
    listed.rename(root / "person_keypoints.json")

    assert "person_keypoints.json" in load_coco(root).source
    with pytest.raises(ValueError, match=r"person_keypoints_val2017\.json"):
        load_coco(root, "val2017")


def test_mpii_is_read_with_its_truth_in_the_list(tmp_path: Path) -> None:
    data = load_mpii(write_mpii(tmp_path))

    assert data.centers.tolist() == [[65, 80], [125, 80]]
    assert data.scales.tolist() == [0.5, 0.5]
    assert np.array_equal(data.points[1], SKELETON[:16] + np.array([60, 11]))
    assert data.visible.sum(axis=1).tolist() == [15, 15]
    assert data.head_boxes[0].tolist() == [50, 30, 53, 34]
    assert is_mpii(tmp_path)
    assert not is_mpii(tmp_path / "annot")


def test_mpii_s_truth_is_taken_from_hrnet_s_matlab_file_where_there_is_one(tmp_path: Path) -> None:
    listed = load_mpii(write_mpii(tmp_path))
    arrays = {
        "pos_gt_src": listed.points.transpose(1, 2, 0) + 1,
        "jnt_missing": 1.0 - listed.visible.T,
        "headboxes_src": listed.head_boxes.reshape(2, 2, 2).transpose(1, 2, 0),
        "dataset_joints": np.array(["rank", "rkne"], object),
    }
    pytest.importorskip("scipy.io", reason="SciPy writes the file").savemat(
        tmp_path / "annot" / "gt_valid.mat", arrays, do_compression=True
    )

    data = load_mpii(tmp_path)

    assert np.array_equal(data.points, listed.points + 1)
    assert np.array_equal(data.visible, listed.visible)
    assert np.array_equal(data.head_boxes, listed.head_boxes)


def test_a_matlab_file_of_other_persons_or_without_an_array_is_refused(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy writes the file")
    path = write_mpii(tmp_path) / "annot" / "gt_valid.mat"
    arrays = {
        "pos_gt_src": np.zeros((16, 2, 3)),
        "jnt_missing": np.zeros((16, 3)),
        "headboxes_src": np.zeros((2, 2, 3)),
    }
    scipy_io.savemat(path, arrays)

    with pytest.raises(ValueError, match=r"lists 2 persons, but .*gt_valid\.mat has 3"):
        load_mpii(tmp_path)
    scipy_io.savemat(path, {"jnt_missing": np.zeros((16, 3)), "pos_gt_src": np.zeros((16, 2, 3))})
    with pytest.raises(ValueError, match="no array headboxes_src"):
        load_mpii(tmp_path)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("annotations/person_keypoints_val2017.json", r"no annotations/person_keypoints_val2017\.json or .* of COCO"),
        ("images", "no images/val2017 or val2017 or images"),
        ("images/val2017/000000000002.jpg", r"1 of 2 pictures are not there; the first is .*0002\.jpg"),
    ],
)
def test_what_coco_lacks_is_named_with_its_place(tmp_path: Path, lost: str, said: str) -> None:
    path = write_coco(tmp_path) / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

    with pytest.raises(ValueError, match=said):
        load_coco(tmp_path)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("annot/valid.json", r"annot/valid\.json is missing; the layout of MPII"),
        ("images", "images is missing; the layout of MPII"),
        ("images/1.jpg", r"the first is .*images/1\.jpg"),
    ],
)
def test_what_mpii_lacks_is_named_with_its_place(tmp_path: Path, lost: str, said: str) -> None:
    path = write_mpii(tmp_path) / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

    with pytest.raises(ValueError, match=said):
        load_mpii(tmp_path)


@pytest.mark.parametrize(
    ("field", "said"),
    [("scale", "entry 1 has no 'scale'"), ("headbox", r"gt_valid\.mat is missing, and .* entry 1 has no 'headbox'")],
)
def test_a_person_of_mpii_without_a_field_is_named(tmp_path: Path, field: str, said: str) -> None:
    path = write_mpii(tmp_path) / "annot" / "valid.json"
    persons = json.loads(path.read_text())
    del persons[1][field]
    path.write_text(json.dumps(persons))

    with pytest.raises(ValueError, match=said):
        load_mpii(tmp_path)


def test_annotations_without_keypoints_are_refused(tmp_path: Path) -> None:
    path = write_coco(tmp_path) / "annotations" / "person_keypoints_val2017.json"
    truth = json.loads(path.read_text())
    path.write_text(json.dumps(truth | {"annotations": [{**truth["annotations"][0], "keypoints": [0] * 51}]}))

    with pytest.raises(ValueError, match="no boxes of persons"):
        load_coco(tmp_path)


def test_pictures_are_read_as_their_pixels_are_stored(tmp_path: Path) -> None:
    (tmp_path / "turned.png").write_bytes(rotated_by_exif(pattern(), 6, "PNG"))
    (tmp_path / "text.png").write_bytes(b"text")

    assert np.array_equal(read_picture(tmp_path / "turned.png"), pattern())
    with pytest.raises(ValueError, match=r"text\.png is not a picture"):
        read_picture(tmp_path / "text.png")


@pytest.mark.shared
def test_the_small_coco_set_is_read(shared: Path) -> None:
    data = load_coco(shared / "data" / "coco-keypoints-mini")

    assert (len(data.boxes), len(set(data.paths))) == (142, 54)
