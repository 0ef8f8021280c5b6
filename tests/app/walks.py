"""Walks that users send, made on the spot."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.app.pictures import encode
from tests.models.gait.walkers import walker

WALK = walker(frames=36, height=60, size=(80, 160), start=(40, 75), speed=2.0)


def pngs(silhouettes: NDArray[np.bool_] = WALK) -> list[bytes]:
    """Each frame as PNG."""
    return [encode(np.where(frame, 255, 0).astype(np.uint8)) for frame in silhouettes]


def parts(files: list[bytes], names: list[str] | None = None) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Multipart fields of a walk."""
    names = names or [f"frame{index}.png" for index in range(len(files))]
    return [("silhouettes", (name, file, "image/png")) for name, file in zip(names, files, strict=True)]


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def zipped_walk() -> bytes:
    """A zip file of frames."""
    return zipped({f"walk/frame{index}.png": file for index, file in enumerate(pngs())})


def npz(**arrays: NDArray[np.generic]) -> bytes:
    """A NumPy file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def gei_picture() -> bytes:
    """A gait energy image."""
    from models.gait.gei import gait_energy_image

    return encode(np.round(255 * gait_energy_image(WALK).image).astype(np.uint8))


def video(path: Path, people: bool = True, pan: int = 0, frames: int = 60) -> bytes:
    """A video (240 x 320, 25 frames a second) of one walker before a wall, perhaps by a camera that pans."""
    rng = np.random.default_rng(5)
    wall = np.kron(rng.integers(90, 160, (30, 120, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    figures = walker(frames=frames, height=120, size=(240, 320), start=(40, 220), speed=3.5)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for _ in range(0 if pan else 12):
        writer.write(np.ascontiguousarray(wall[:, :320]))
    for index, figure in enumerate(figures):
        image = np.ascontiguousarray(wall[:, pan * index : pan * index + 320])
        if people:
            image[figure] = (20, 20, 30)
        writer.write(image)
    writer.release()
    return path.read_bytes()
