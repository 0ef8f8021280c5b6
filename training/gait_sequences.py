"""Silhouettes of real walks without ages, as CASIA-A has them, and the ages that a network tells of them."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.gei import NoSilhouetteError, gait_energy_image
from training.dataset_files import zip_members
from training.progress import watched

_SEQUENCE = re.compile(r"(?P<subject>[^/]+)/(?P<view>\d+)_(?P<take>\d+)/[^/]+\.png$", re.IGNORECASE)


@dataclass(frozen=True)
class RealWalks:
    """Gait energy images of walks whose ages nobody knows.

    Attributes:
        source: what was read, for reports.
        geis: (N, h, w) uint8.
        views: (N,) what the folders are called by: "00" is from the side in CASIA-A, "90" along the line of sight.
        subjects: (N,) who walks.
    """

    source: str
    geis: NDArray[np.uint8]
    views: list[str]
    subjects: list[str] = field(default_factory=list)


def is_casia(path: Path) -> bool:
    """Whether a zip file or folder has `SUBJECT/VIEW_TAKE/*.png`."""
    return any(_SEQUENCE.search(name) for name in _names(path))


def load_casia(path: Path, size: tuple[int, int]) -> RealWalks:
    """Read CASIA-A's silhouettes from a folder or a zip file.

    Args:
        path: of `SUBJECT/VIEW_TAKE/*.png`, 255 where the body is, in order of their names.
        size: (height, width) of the gait energy images.

    Raises:
        ValueError: there are none, or one is not a picture.
    """
    frames: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name in sorted(_names(path)):
        match = _SEQUENCE.search(name)
        if match:
            frames[match["subject"], match["view"], match["take"]].append(name)
    geis, views, subjects = [], [], []
    for (subject, view, _), images in zip(watched(list(frames), "walks"), _read(path, frames), strict=True):
        try:
            geis.append(np.round(255 * gait_energy_image(images, size).image).astype(np.uint8))
        except NoSilhouetteError:
            continue
        views.append(view)
        subjects.append(subject)
    if not geis:
        raise ValueError(f"{path} has no walks as SUBJECT/VIEW_TAKE/*.png that can be used")
    return RealWalks(f"{path.resolve().name}: {len(geis)} walks", np.stack(geis), views, subjects)


def _names(path: Path) -> list[str]:
    if path.is_dir():
        return [str(file.relative_to(path)) for file in path.glob("*/*_*/*.png")]
    return sorted(zip_members(path)) if path.suffix == ".zip" else []


def _read(path: Path, frames: dict[tuple[str, str, str], list[str]]) -> Iterator[NDArray[np.bool_]]:
    archive = None if path.is_dir() else zipfile.ZipFile(path)
    try:
        for names in frames.values():
            yield np.stack([_decode(archive.read(n) if archive else (path / n).read_bytes(), n) for n in names])
    finally:
        if archive:
            archive.close()


def _decode(data: bytes, name: str) -> NDArray[np.bool_]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise ValueError(f"{name} is not a picture that can be read")
    return np.asarray(image > 127)
