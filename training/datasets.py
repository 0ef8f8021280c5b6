"""Reading re-identification data: which crops show whom, from which camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.reid_layouts import CropFile, Wanted, find_layout, list_crops, named_crops, read_pictures


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
    """Read one split of a data set, in any layout of `training.reid_layouts`.

    Args:
        root: the data set's folder.
        split: "train", "query" or "gallery".
        boxes: "labeled" or "detected", for data sets that have crops of both kinds (CUHK03).

    Raises:
        ValueError: no layout fits, or something of it is missing; the message says what was looked for.
    """
    crops = list_crops(root, Wanted(split, boxes))
    return ReidImages(
        f"{root.name}/{split}" + (f"/{boxes}" if boxes else ""),
        decode_crops(crops),
        np.array([crop.identity for crop in crops], np.int64),
        np.array([crop.camera for crop in crops], np.int64),
        [crop.name for crop in crops],
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
        layout = find_layout(root)
        crops = layout.crops(root, Wanted("query")) + layout.crops(root, Wanted("gallery"))
    else:
        crops = named_crops(root)
    if not crops:
        raise ValueError(f"{root} has no pictures named like 0002_c1s1_000451_03.jpg, and no index.csv")
    pictures = read_pictures(crops)
    return [
        EncodedCrop(crop.name, data, crop.identity, crop.camera) for crop, data in zip(crops, pictures, strict=True)
    ]


def decode_crops(crops: Sequence[CropFile]) -> list[NDArray[np.uint8]]:
    """Read and decode some crops, in their order: RGB uint8 (H, W, 3), sizes may differ.

    Raises:
        ValueError: one is not a picture.
    """
    return [_decode(data, crop.name) for crop, data in zip(crops, read_pictures(crops), strict=True)]


def _decode(data: bytes, name: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise ValueError(f"{name} is not a picture that can be read")
    return image.astype(np.uint8, copy=False)
