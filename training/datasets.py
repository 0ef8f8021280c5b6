"""Reading re-identification data: which files show whom, from which camera."""

import csv
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

MARKET_NAME = re.compile(r"(-?\d+)_c(\d+)")
MARKET_SPLITS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}


@dataclass(frozen=True)
class ReidImages:
    """Decoded crops with who they show and where.

    Attributes:
        source: what was read, for reports.
        images: RGB uint8 (H, W, 3), sizes may differ.
        identities, cameras: (N,) int64.
        names: file names, as in the data set.
    """

    source: str
    images: list[NDArray[np.uint8]]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    names: list[str]

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "ReidImages":
        """The images at `indices`, in that order."""
        return ReidImages(
            self.source,
            [self.images[i] for i in indices],
            self.identities[indices],
            self.cameras[indices],
            [self.names[i] for i in indices],
        )


def concatenate(parts: Sequence[ReidImages]) -> ReidImages:
    """Join data sets into one; identities of different parts stay different people."""
    offset, identities = 0, []
    for part in parts:
        identities.append(part.identities + offset)
        offset += int(part.identities.max()) + 1
    return ReidImages(
        " + ".join(part.source for part in parts),
        [image for part in parts for image in part.images],
        np.concatenate(identities),
        np.concatenate([part.cameras for part in parts]),
        [name for part in parts for name in part.names],
    )


def load_reid(root: Path, split: str, boxes: str | None = None) -> ReidImages:
    """Read one split of a data set, in either of two layouts.

    Indexed: `index.csv` with the columns file, pid, cam and split (and perhaps boxes), pictures in a zip file or a
    folder beside it. Official Market-1501: the folders `bounding_box_train`, `query` and `bounding_box_test`, whose
    file names begin with identity and camera (`0002_c1s1_000451_03.jpg`); identity -1 is junk and left out.

    Args:
        root: the data set's folder.
        split: "train", "query" or "gallery".
        boxes: keep only rows with this value in the column `boxes` (CUHK03: "labeled" or "detected").

    Raises:
        ValueError: the folder has neither layout, or the split is empty; the message says what was looked for.
    """
    if (root / "index.csv").is_file():
        rows = _indexed_crops(root, split, boxes)
    elif (root / MARKET_SPLITS[split]).is_dir():
        rows = _named_crops(root / MARKET_SPLITS[split])
    else:
        raise ValueError(f"{root} has neither index.csv nor a folder {MARKET_SPLITS[split]}")
    if not rows:
        raise ValueError(f"{root} has no images in the split {split!r}" + (f" with boxes {boxes!r}" if boxes else ""))
    return ReidImages(
        f"{root.name}/{split}" + (f"/{boxes}" if boxes else ""),
        [_decode(row.data, row.name) for row in rows],
        np.array([row.identity for row in rows], np.int64),
        np.array([row.camera for row in rows], np.int64),
        [row.name for row in rows],
    )


@dataclass(frozen=True)
class EncodedCrop:
    """One picture as it lies in a data set."""

    name: str
    data: bytes
    identity: int
    camera: int


def read_crops(root: Path) -> list[EncodedCrop]:
    """Read encoded crops: the test part (query and gallery) of an indexed data set, or every picture of a folder whose
    file names begin with identity and camera (`0002_c1s1_000451_03.jpg`).

    Raises:
        ValueError: there are none.
    """
    if (root / "index.csv").is_file():
        crops = _indexed_crops(root, "query") + _indexed_crops(root, "gallery")
    else:
        crops = _named_crops(root)
    if not crops:
        raise ValueError(f"{root} has no pictures named like 0002_c1s1_000451_03.jpg, and no index.csv")
    return crops


def _indexed_crops(root: Path, split: str, boxes: str | None = None) -> list[EncodedCrop]:
    with (root / "index.csv").open(newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if row["split"] == split and (boxes is None or row["boxes"] == boxes)
        ]
    archives = sorted(root.glob("*.zip"))
    if not archives:
        return [EncodedCrop(r["file"], (root / r["file"]).read_bytes(), int(r["pid"]), int(r["cam"])) for r in rows]
    with zipfile.ZipFile(archives[0]) as archive:
        members = set(archive.namelist())
        paths = [r["file"] if r["file"] in members else f"images/{r['file']}" for r in rows]
        return [
            EncodedCrop(r["file"], archive.read(path), int(r["pid"]), int(r["cam"]))
            for r, path in zip(rows, paths, strict=True)
        ]


def _named_crops(folder: Path) -> list[EncodedCrop]:
    crops = []
    for path in sorted(folder.iterdir()):
        match = MARKET_NAME.match(path.name)
        if match and path.suffix.lower() in {".jpg", ".jpeg", ".png"} and int(match[1]) >= 0:
            crops.append(EncodedCrop(path.name, path.read_bytes(), int(match[1]), int(match[2])))
    return crops


def _decode(data: bytes, name: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{name} is not a picture that can be read")
    return image.astype(np.uint8, copy=False)
