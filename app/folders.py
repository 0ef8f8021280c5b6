"""Folders of pictures of persons: who is on which."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MARKET_NAME = re.compile(r"(\d+)_c(\d+)")


@dataclass(frozen=True)
class Picture:
    """A picture file, with who it shows and which camera took it, if its name says so."""

    path: Path
    identity_id: str
    camera: str | None


def find_people(folder: Path) -> Sequence[Picture]:
    """The pictures of a folder: in one folder a person, or named as in Market-1501 (`0002_c1s1_000451_03.jpg`).

    A picture within a person's folder can be named so too; then its camera is known.

    Raises:
        ValueError: there are none, or it cannot be told who is on one of them.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    pictures = [_picture(path, folder) for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURES]
    if not pictures:
        raise ValueError(f"{folder} has no pictures ({', '.join(sorted(PICTURES))})")
    return pictures


def _picture(path: Path, folder: Path) -> Picture:
    match = MARKET_NAME.match(path.name)
    camera = f"c{match[2]}" if match else None
    within = path.relative_to(folder).parts
    if len(within) > 1:
        return Picture(path, within[0], camera)
    if match is None:
        raise ValueError(
            f"{path} does not say who it shows: put it into a folder of that name, or call it 0002_c1….jpg"
        )
    return Picture(path, match[1], camera)
