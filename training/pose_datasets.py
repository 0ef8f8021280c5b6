"""Reading pose data sets: COCO keypoints and MPII."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset_files import read_json, require, require_any, require_fields, require_pictures
from training.mat_files import read_mat

FloatArray = NDArray[np.float64]
PERSON = 1
DEFAULT_SPLIT = "val2017"
MPII_KEYPOINTS = 16


@dataclass(frozen=True)
class CocoPersons:
    """Persons to find in COCO's pictures, and what pycocotools compares with.

    Attributes:
        source: what was read, for reports.
        ground_truth: COCO's annotations as they are.
        paths: (N,) picture of each person.
        image_ids: (N,) COCO's numbers of those pictures.
        boxes: (N, 4) x1, y1, x2, y2 in image pixels.
        box_scores: (N,) of the detector; 1 for boxes of the ground truth.
    """

    source: str
    ground_truth: dict[str, Any]
    paths: list[Path]
    image_ids: NDArray[np.int64]
    boxes: FloatArray
    box_scores: FloatArray


@dataclass(frozen=True)
class MpiiPersons:
    """Persons to find in MPII's pictures. Pixels are counted from 1, as MPII does.

    Attributes:
        source: what was read, for reports.
        paths: (N,) picture of each person.
        centers: (N, 2) x, y.
        scales: (N,) height in units of 200 pixels.
        points: (N, 16, 2) where the keypoints are.
        visible: (N, 16) which keypoints count.
        head_boxes: (N, 4) x1, y1, x2, y2.
    """

    source: str
    paths: list[Path]
    centers: FloatArray
    scales: FloatArray
    points: FloatArray
    visible: NDArray[np.bool_]
    head_boxes: FloatArray


@dataclass(frozen=True)
class CocoKeypoints:
    """Annotated persons of COCO's pictures.

    Attributes:
        source: what was read, for reports.
        paths: (N,) picture of each person.
        boxes: (N, 4) x1, y1, x2, y2 in image pixels.
        areas: (N,) as annotated, in square pixels.
        points: (N, 17, 2) in image pixels.
        visible: (N, 17) which keypoints are annotated.
    """

    source: str
    paths: list[Path]
    boxes: FloatArray
    areas: FloatArray
    points: FloatArray
    visible: NDArray[np.bool_]


def is_mpii(root: Path) -> bool:
    """Whether a folder is laid out as MPII rather than as COCO."""
    return (root / "annot").is_dir()


def is_coco(root: Path) -> bool:
    """Whether a folder has COCO's annotations of keypoints."""
    return any(root.glob("person_keypoints*.json")) or any(root.glob("annotations/person_keypoints*.json"))


def load_coco(root: Path, split: str | None = None, detections: Path | None = None) -> CocoPersons:
    """Read COCO's person keypoints.

    The annotations are `annotations/person_keypoints_SPLIT.json`, or that file in the folder itself; where no split is
    asked for, it is val2017 or what the one file `person_keypoints.json` has. The pictures lie in `images/SPLIT`,
    `SPLIT` or `images`.

    Args:
        root: the data set's folder.
        split: such as "train2017".
        detections: boxes of a detector in COCO's result format (image_id, category_id, bbox, score); without it the
            boxes are those of the ground truth, of persons with keypoints who are no crowd, cut to the picture as
            HRNet's code does.

    Raises:
        ValueError: a file or a picture is missing, or there are no boxes; the message says what was looked for.
    """
    part = split or DEFAULT_SPLIT
    names = [f"annotations/person_keypoints_{part}.json", f"person_keypoints_{part}.json"]
    annotations = require_any(root, names if split else [*names, "person_keypoints.json"], "COCO")
    folder = require_any(root, (f"images/{part}", part, "images"), "COCO")
    truth = read_json(annotations)
    require_fields([truth], ("images", "annotations", "categories"), annotations)
    images = {image["id"]: image for image in truth["images"]}
    rows = _true_boxes(truth, images, annotations) if detections is None else _detected_boxes(detections, images)
    if not rows:
        raise ValueError(f"{detections or annotations} has no boxes of persons in pictures of {annotations}")
    image_ids, boxes, scores = zip(*rows, strict=True)
    paths = [folder / images[image_id]["file_name"] for image_id in image_ids]
    require_pictures(paths)
    source = f"{root.resolve().name}: {annotations.name}, {len(images)} pictures, {len(rows)} "
    return CocoPersons(
        source + ("boxes of the ground truth" if detections is None else f"boxes of {detections.name}"),
        truth,
        paths,
        np.array(image_ids, np.int64),
        np.array(boxes, np.float64),
        np.array(scores, np.float64),
    )


def annotated_keypoints(data: CocoPersons, least: int = 10) -> CocoKeypoints:
    """The persons of a ground truth who have at least so many annotated keypoints.

    Raises:
        ValueError: nobody has.
    """
    paths = dict(zip(data.image_ids.tolist(), data.paths, strict=True))
    persons = [
        person
        for person in data.ground_truth["annotations"]
        if person["image_id"] in paths and not person.get("iscrowd") and person["area"] > 0
    ]
    keypoints = np.array([person["keypoints"] for person in persons], np.float64).reshape(len(persons), -1, 3)
    enough = np.flatnonzero((keypoints[..., 2] > 0).sum(axis=1) >= least)
    if not len(enough):
        raise ValueError(f"{data.source}: nobody has {least} annotated keypoints")
    kept = [persons[index] for index in enough]
    corners = np.array([person["bbox"] for person in kept], np.float64)
    return CocoKeypoints(
        f"{data.source}; {len(kept)} persons with at least {least} keypoints",
        [paths[person["image_id"]] for person in kept],
        np.concatenate((corners[:, :2], corners[:, :2] + corners[:, 2:]), axis=1),
        np.array([person["area"] for person in kept], np.float64),
        keypoints[enough, :, :2],
        keypoints[enough, :, 2] > 0,
    )


def load_mpii(root: Path, split: str = "valid") -> MpiiPersons:
    """Read MPII as HRNet's code lays it out.

    `annot/SPLIT.json` is a list of persons with image, center and scale; the ground truth is `annot/gt_SPLIT.mat` with
    pos_gt_src, jnt_missing and headboxes_src. Where there is no such file, each person of the list needs joints,
    joints_vis and headbox (x1, y1, x2, y2) instead. The pictures lie in `images`.

    Args:
        root: the data set's folder.
        split: "valid", or another that has the ground truth.

    Raises:
        ValueError: a file, a field or a picture is missing; the message says which.
    """
    listed = require(root / "annot" / f"{split}.json", "MPII")
    folder = require(root / "images", "MPII")
    persons = read_json(listed)
    require_fields(persons, ("image", "center", "scale"), listed)
    matlab = root / "annot" / f"gt_{split}.mat"
    points, visible, heads = _matlab_truth(matlab) if matlab.is_file() else _listed_truth(persons, listed, matlab)
    if not len(persons) == len(points) == len(visible) == len(heads):
        raise ValueError(f"{listed} lists {len(persons)} persons, but {matlab} has {len(points)}")
    paths = [folder / person["image"] for person in persons]
    require_pictures(paths)
    return MpiiPersons(
        f"{root.resolve().name}: {listed.name}, {len(set(paths))} pictures, {len(persons)} persons",
        paths,
        np.array([person["center"] for person in persons], np.float64),
        np.array([person["scale"] for person in persons], np.float64),
        points,
        visible,
        heads,
    )


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB (H, W, 3), as its pixels are stored: annotations do not know of EXIF orientation.

    Raises:
        ValueError: it is not a picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{path} is not a picture that can be read")
    return np.asarray(image, np.uint8)


_Row = tuple[int, tuple[float, float, float, float], float]  # image, box, score


def _true_boxes(truth: Mapping[str, Any], images: Mapping[int, Mapping[str, Any]], path: Path) -> list[_Row]:
    require_fields(truth["annotations"], ("image_id", "category_id", "bbox", "area", "keypoints"), path)
    rows = []
    for person in truth["annotations"]:
        image = images[person["image_id"]]
        x, y, width, height = person["bbox"]
        x1, y1 = max(0, x), max(0, y)
        x2 = min(image["width"] - 1, x1 + max(0, width - 1))
        y2 = min(image["height"] - 1, y1 + max(0, height - 1))
        is_person = person["category_id"] == PERSON and not person.get("iscrowd")
        if is_person and any(person["keypoints"]) and person["area"] > 0 and x2 >= x1 and y2 >= y1:
            rows.append((person["image_id"], (x1, y1, x2, y2), 1.0))
    return rows


def _detected_boxes(path: Path, images: Mapping[int, object]) -> list[_Row]:
    detections = read_json(path)
    require_fields(detections, ("image_id", "category_id", "bbox", "score"), path)
    rows = []
    for detection in detections:
        if detection["category_id"] == PERSON and detection["image_id"] in images:
            x, y, width, height = detection["bbox"]
            rows.append((detection["image_id"], (x, y, x + width, y + height), float(detection["score"])))
    return rows


def _matlab_truth(path: Path) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    arrays = read_mat(path)
    absent = {"pos_gt_src", "jnt_missing", "headboxes_src"}.difference(arrays)
    if absent:
        raise ValueError(f"{path} has no array {min(absent)}")
    points = arrays["pos_gt_src"].astype(np.float64).transpose(2, 0, 1)  # (16, 2, N) in the file
    heads = arrays["headboxes_src"].astype(np.float64).transpose(2, 0, 1)  # (2, 2, N): corner, axis, person
    return points, arrays["jnt_missing"].T == 0, heads.reshape(len(heads), 4)


def _listed_truth(
    persons: Sequence[Mapping[str, Any]], listed: Path, matlab: Path
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    try:
        require_fields(persons, ("joints", "joints_vis", "headbox"), listed)
    except ValueError as error:
        raise ValueError(f"{matlab} is missing, and {error} instead") from error
    points = np.array([person["joints"] for person in persons], np.float64).reshape(-1, MPII_KEYPOINTS, 2)
    visible = np.array([person["joints_vis"] for person in persons]) > 0
    return points, visible, np.array([person["headbox"] for person in persons], np.float64).reshape(-1, 4)
