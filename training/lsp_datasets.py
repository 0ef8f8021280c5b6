"""Reading Leeds Sports Pose and its extension: one person a picture (Johnson and Everingham 2010, 2011)."""

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset_files import require
from training.mat_files import read_mat

FloatArray = NDArray[np.float64]

KEYPOINTS = (
    *("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle"),
    *("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist", "neck", "head_top"),
)
"""Columns of joints.csv, in the order of `models.keypoints.LSP_14`."""


@dataclass(frozen=True)
class LspPersons:
    """Pictures of one person each.

    Attributes:
        source: what was read, for reports.
        images: RGB uint8 (H, W, 3), sizes may differ.
        points: (N, 14, 2) x, y in image pixels.
        visible: (N, 14) which of them are reliable.
        upright: (N,) what joints.csv marks as upright with all keypoints visible; False where it has no such column.
        names: file names, as in the data set.
    """

    source: str
    images: list[NDArray[np.uint8]]
    points: FloatArray
    visible: NDArray[np.bool_]
    upright: NDArray[np.bool_]
    names: list[str]

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "LspPersons":
        """The persons at `indices`, in that order."""
        return LspPersons(
            self.source,
            [self.images[i] for i in indices],
            self.points[indices],
            self.visible[indices],
            self.upright[indices],
            [self.names[i] for i in indices],
        )


def is_lsp(root: Path) -> bool:
    """Whether a folder is laid out as `load_lsp` reads it."""
    return (root / "joints.csv").is_file() or (root / "joints.mat").is_file()


def load_lsp(root: Path) -> LspPersons:
    """Read Leeds Sports Pose.

    Either joints.csv (file, then x, y and v of each keypoint in `KEYPOINTS`, perhaps upright_all_visible) or the
    authors' joints.mat lies in the folder; the pictures are in `images`, or in a zip file with that folder.

    Args:
        root: the data set's folder.

    Raises:
        ValueError: a file, a column or a picture is missing or damaged; the message says which.
    """
    if (root / "joints.mat").is_file():
        names, points, visible, upright = _matlab_joints(root / "joints.mat")
    else:
        names, points, visible, upright = _listed_joints(require(root / "joints.csv", "Leeds Sports Pose"))
    images = _read_images(root, names)
    return LspPersons(f"{root.resolve().name}: {len(names)} persons", images, points, visible, upright, names)


_Joints = tuple[list[str], FloatArray, NDArray[np.bool_], NDArray[np.bool_]]


def _listed_joints(path: Path) -> _Joints:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        names = [row["file"] for row in rows]
        table = np.array([[[float(row[f"{name}_{part}"]) for part in "xyv"] for name in KEYPOINTS] for row in rows])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not rows:
        raise ValueError(f"{path} lists nobody")
    upright = np.array([row.get("upright_all_visible") == "1" for row in rows])
    return names, table[..., :2], table[..., 2] > 0, upright


def _matlab_joints(path: Path) -> _Joints:
    """(3, 14, N) in Leeds Sports Pose, whose third row says what is hidden; (14, 3, N) in the extension: visible."""
    joints = read_mat(path).get("joints")
    if joints is None or joints.ndim != 3 or sorted(joints.shape[:2]) != [3, len(KEYPOINTS)]:
        raise ValueError(f"{path} has no array joints of 14 keypoints")
    extended = joints.shape[1] == 3
    table = joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)
    flags = table[..., 2] > 0
    digits = 5 if extended else 4
    names = [f"im{number:0{digits}}.jpg" for number in range(1, len(table) + 1)]
    return names, table[..., :2].astype(np.float64), flags if extended else ~flags, np.zeros(len(table), bool)


def _read_images(root: Path, names: Sequence[str]) -> list[NDArray[np.uint8]]:
    if (root / "images").is_dir():
        return [_decode((root / "images" / name).read_bytes(), name) for name in names]
    archives = sorted(root.glob("*.zip"))
    if not archives:
        raise ValueError(f"{root} has neither a folder images nor a zip file")
    with zipfile.ZipFile(archives[0]) as archive:
        try:
            return [_decode(archive.read(f"images/{name}"), name) for name in names]
        except KeyError as error:
            raise ValueError(f"{archives[0]}: {error.args[0]}") from error


def _decode(data: bytes, name: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{name} is not a picture that can be read")
    return np.asarray(image, np.uint8)
