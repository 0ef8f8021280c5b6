"""Tiny data sets in the layouts in which the real ones are published."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.app.pictures import encode, pattern
from training.lsp_datasets import KEYPOINTS as LSP_COLUMNS

MARKET = {
    "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c3s1_000551_01.jpg", "0007_c2s3_1_1.jpg", "Thumbs.db"],
    "query": ["0003_c1s1_1_0.jpg"],
    "bounding_box_test": ["0003_c2s1_1_0.jpg", "-1_c2s1_1_0.jpg", "0000_c3s1_1_0.jpg"],
}
DUKE = {
    "bounding_box_train": ["0001_c2_f0046182.jpg"],
    "query": ["0005_c2_f0046985.jpg"],
    "bounding_box_test": ["0005_c8_f0046985.jpg", "0006_c1_f0057689.jpg"],
}
MSMT17 = {
    "list_train.txt": ["0000/0000_000_01_0303morning_0008_0.jpg 0"],
    "list_val.txt": ["0001/0001_000_14_0303morning_0008_0.jpg 1"],
    "list_query.txt": ["0000/0000_000_05_0303morning_0037_0.jpg 0"],
    "list_gallery.txt": ["0000/0000_001_11_0302noon_0037_0.jpg 0", "0001/0001_001_05_0302noon_0037_0.jpg 1"],
}


def person(identity: int) -> NDArray[np.uint8]:
    """What every crop of a person shows: one colour, so that even an untrained network knows it again."""
    colour = np.array([37 * identity, 91 * identity + 60, 153 * identity + 120]) % 256
    return np.broadcast_to(colour, (32, 16, 3)).astype(np.uint8)


def write_folders(root: Path, folders: Mapping[str, list[str]]) -> Path:
    """Market-1501's layout: folders of pictures whose names say who and where."""
    for folder, names in folders.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            identity = int(name.split("_")[0]) if name[0] in "-0" else 0
            (root / folder / name).write_bytes(encode(person(max(0, identity)), "JPEG"))
    return root


def write_msmt17(root: Path, train: str = "train", test: str = "test") -> Path:
    """MSMT17's lists, in either version's folders."""
    for name, lines in MSMT17.items():
        folder = root / (train if name in ("list_train.txt", "list_val.txt") else test)
        root.mkdir(exist_ok=True)
        (root / name).write_text("\n".join(lines) + "\n")
        for path, identity in (line.split() for line in lines):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(encode(person(int(identity)), "JPEG"))
    return root


def write_cuhk03(root: Path) -> Path:
    """CUHK03 as RGA's code leaves it behind, with two classic test sets and absolute paths of another machine."""
    for boxes in ("labeled", "detected"):
        shots = [
            f"1_{identity:03d}_{camera}_{shot:02d}.png" for identity in (1, 2) for camera in (1, 2) for shot in (1, 2)
        ]
        folder = root / f"images_{boxes}"
        folder.mkdir(parents=True)
        for name in shots:
            (folder / name).write_bytes(encode(person(int(name.split("_")[1]))))
        rows = [[f"/elsewhere/{name}", int(name.split("_")[1]), int(name.split("_")[2])] for name in shots]
        new = {"train": [], "query": rows[:1], "gallery": rows[2:]}
        classic = {"train": [], "query": rows, "gallery": rows}
        second = {"train": rows[:4], "query": rows[4:], "gallery": rows[4:]}
        (root / f"splits_new_{boxes}.json").write_text(json.dumps([new]))
        (root / f"splits_classic_{boxes}.json").write_text(json.dumps([classic, second]))
    return root


def write_indexed(root: Path) -> Path:
    """The project's own layout: an index, and a zip file that keeps some pictures in a folder."""
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
    return root


SKELETON = np.array([[x, y] for y in (30, 50, 70, 90, 110) for x in (40, 55, 70, 85)][:17], np.float64)
"""Seventeen places within the box of `write_coco`'s persons, before they are moved."""


def write_coco(root: Path, pictures: str = "images/val2017") -> Path:
    """COCO's layout: two pictures; a person each, a crowd, and somebody without keypoints."""
    (root / "annotations").mkdir(parents=True)
    (root / pictures).mkdir(parents=True)
    annotations = []
    for image_id, moved in ((1, 0), (2, 60)):
        (root / pictures / f"{image_id:012d}.jpg").write_bytes(encode(pattern(160, 200), "JPEG"))
        points = SKELETON + np.array([moved, 10])
        annotations += [
            _annotation(image_id, points, [moved + 30, 30, 70, 100]),
            _annotation(image_id, points, [0, 0, 200, 160]) | {"iscrowd": 1},
            _annotation(image_id, 0 * points, [0, 0, 20, 20]) | {"num_keypoints": 0},
        ]
    truth = {
        "images": [{"id": i, "file_name": f"{i:012d}.jpg", "width": 200, "height": 160} for i in (1, 2)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [row | {"id": number} for number, row in enumerate(annotations, 1)],
    }
    (root / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(truth))
    return root


def _annotation(image_id: int, points: NDArray[np.float64], box: list[float]) -> dict[str, Any]:
    visible = np.any(points != 0, axis=1, keepdims=True)
    keypoints = np.hstack((points, 2 * visible)).ravel().tolist()
    extent = {"bbox": box, "area": 0.6 * box[2] * box[3], "iscrowd": 0, "num_keypoints": int(visible.sum())}
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints} | extent


def write_mpii(root: Path) -> Path:
    """MPII in HRNet's layout, but with the ground truth in its list of persons, as there is no .mat file."""
    (root / "annot").mkdir(parents=True)
    (root / "images").mkdir()
    persons = []
    for number, moved in enumerate((0, 60)):
        (root / "images" / f"{number}.jpg").write_bytes(encode(pattern(160, 200), "JPEG"))
        joints = (SKELETON[:16] + np.array([moved, 11])).tolist()
        persons.append(
            {
                "image": f"{number}.jpg",
                "center": [moved + 65.0, 80.0],
                "scale": 0.5,
                "joints": joints,
                "joints_vis": [1] * 15 + [0],
                "headbox": [moved + 50, 30, moved + 53, 34],  # 3 by 4, so that a head is 3 pixels long
            }
        )
    (root / "annot" / "valid.json").write_text(json.dumps(persons))
    return root


def write_oulp_age(root: Path, ages: Mapping[str, int]) -> Path:
    """OULP-Age's layout; the lists write numbers with leading zeros, the table without."""
    (root / "GEI").mkdir(parents=True)
    for subject in ages:
        cv2.imwrite(str(root / "GEI" / f"{subject}.png"), pattern(128, 88)[..., 0])
    for name in ("GEI_IDList_train.txt", "GEI_IDList_test.txt"):
        (root / name).write_text("\r\n".join(ages) + "\r\n")
    rows = [f"{int(subject)},{age},F" for subject, age in ages.items()]
    (root / "Age_gender_info.csv").write_text("\n".join(["ID,Age,Gender", *rows]) + "\n")
    return root


LSP_POINTS = np.array(
    [
        *([22, 70], [24, 55], [28, 42], [38, 42], [42, 56], [44, 70]),
        *([12, 40], [14, 30], [24, 20], [42, 20], [52, 30], [54, 41], [33, 17], [33, 6]),
    ],
    np.float64,
)
"""Fourteen keypoints of an upright person in a picture of 80 by 80 pixels."""


def write_lsp(root: Path, persons: int = 6) -> Path:
    """Leeds Sports Pose as one table and a zip file; every second person is not upright, and hides a wrist."""
    root.mkdir(parents=True, exist_ok=True)
    parts = [f"{name}_{part}" for name in LSP_COLUMNS for part in "xyv"]
    lines = [",".join(["file", "upright_all_visible", *parts])]
    with zipfile.ZipFile(root / "crops.zip", "w") as archive:
        for number in range(persons):
            points = LSP_POINTS + number
            image = np.full((80, 80, 3), 40 + 20 * number, np.uint8)
            for index, (x, y) in enumerate(points.astype(int)):
                image[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = (17 * index, 255 - 17 * index, 200)
            archive.writestr(f"images/im{number}.jpg", encode(image, "JPEG"))
            flags = [1] * 6 + [1 - number % 2] + [1] * 7
            cells = [f"{x},{y},{v}" for (x, y), v in zip(points.tolist(), flags, strict=True)]
            lines.append(",".join([f"im{number}.jpg", str(1 - number % 2), *cells]))
    (root / "joints.csv").write_text("\n".join(lines) + "\n")
    return root
