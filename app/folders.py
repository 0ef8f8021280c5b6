"""Folders of pictures of persons: who is on which."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gallery.names import MAX_NAME, is_name

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MARKET_NAME = re.compile(r"(\d+)_c(\d+)")
DIGITS = 8
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
        ValueError: it is no folder, or shows nobody.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    paths = [path for path in sorted(folder.rglob("*")) if _is_picture(path.relative_to(folder))]
    if not paths:
        raise ValueError(f"{folder} has no pictures ({', '.join(sorted(PICTURES))})")
    found = {path: _person_on(path.relative_to(folder)) for path in paths}
    pictures = [
        Picture(path, identity_of(name), None if is_name(name) else _text(name), _camera_of(path))
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

    Else its letters lose their accents (Unicode NFKD), what is left that an id cannot have becomes "-", and eight
    digits of the name's SHA-256 follow, so that nobody is taken for somebody of a similar name: "Jörg B" is
    Jorg-B-30f85cb5.
    """
    if is_name(name):
        return name
    letters = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    readable = NOT_IN_IDS.sub("-", letters).lstrip("._@:-").rstrip("-")[: MAX_NAME - DIGITS - 1] or "person"
    # File systems differ in how they write an accent.
    written = unicodedata.normalize("NFC", name).encode(errors="surrogateescape")
    return f"{readable}-{hashlib.sha256(written).hexdigest()[:DIGITS]}"


def _text(name: str) -> str:
    """A file's name without bytes that are no text."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


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
