"""Folders of pictures of persons: who is on which."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gallery.names import MAX_NAME, is_name

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MARKET_NAME = re.compile(r"(\d+)_c(\d+)")
NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._@:-]+")


@dataclass(frozen=True)
class Picture:
    """A picture file, with who it shows and which camera took it, if its name says so.

    Attributes:
        label: the person's name as it was written, where the id had to be made from it.
    """

    path: Path
    identity_id: str
    label: str | None
    camera: str | None


@dataclass(frozen=True)
class Found:
    """The pictures of a folder, and those of which nobody knows who they show."""

    pictures: Sequence[Picture]
    strays: Sequence[Path]


def find_people(folder: Path) -> Found:
    """The pictures of a folder: in one folder a person, or named as in Market-1501 (`0002_c1s1_000451_03.jpg`).

    A picture within a person's folder can be named so too; then its camera is known. Hidden files are left out.

    Raises:
        ValueError: it is no folder, shows nobody, or the names of two people would be one id.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    paths = [path for path in sorted(folder.rglob("*")) if _is_picture(path.relative_to(folder))]
    if not paths:
        raise ValueError(f"{folder} has no pictures ({', '.join(sorted(PICTURES))})")
    found = {path: _person_on(path.relative_to(folder)) for path in paths}
    names = {name: identity_of(name) for name in found.values() if name is not None}
    _check_apart(names)
    pictures = [
        Picture(path, names[name], None if names[name] == name else name, _camera_of(path))
        for path, name in found.items()
        if name is not None
    ]
    strays = [path for path, name in found.items() if name is None]
    if not pictures:
        raise ValueError(stray_reason(strays[0]))
    return Found(pictures, strays)


def stray_reason(path: Path) -> str:
    """Why a picture is left out, and what to do about it."""
    return f"{path} does not say who it shows: put it into a folder of that name, or call it 0002_c1….jpg"


def identity_of(name: str) -> str:
    """An id made from a person's name: the name itself if it can be one.

    Letters lose their accents (Unicode NFKD), whatever is left that an id cannot have becomes "-", and an id begins
    with a letter or digit and ends after 128 characters: "person é 107" is person-e-107.

    Raises:
        ValueError: nothing is left.
    """
    if is_name(name):
        return name
    letters = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    identity_id = NOT_IN_IDS.sub("-", letters).lstrip("._@:-").rstrip("-")[:MAX_NAME]
    if not identity_id:
        raise ValueError(f"the folder name {name!r} has nothing to make an id of; use letters a to z, or digits")
    return identity_id


def _check_apart(names: dict[str, str]) -> None:
    first: dict[str, str] = {}
    for name, identity_id in names.items():
        other = first.setdefault(identity_id, name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} would both be enrolled as {identity_id!r}; rename one of them")


def _is_picture(within: Path) -> bool:
    return within.suffix.lower() in PICTURES and not any(part.startswith(".") for part in within.parts)


def _person_on(within: Path) -> str | None:
    if len(within.parts) > 1:
        return within.parts[0]
    match = MARKET_NAME.match(within.name)
    return match[1] if match else None


def _camera_of(path: Path) -> str | None:
    match = MARKET_NAME.match(path.name)
    return f"c{match[2]}" if match else None
