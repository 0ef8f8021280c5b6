"""Checking that the files of a data set are where its layout wants them, before anything long begins."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def require(path: Path, data_set: str) -> Path:
    """The path itself, if there is something.

    Raises:
        ValueError: there is nothing.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing; the layout of {data_set} needs it")
    return path


def require_any(root: Path, names: Sequence[str], data_set: str) -> Path:
    """The first of these files or folders of `root` that exists.

    Raises:
        ValueError: none does.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise ValueError(f"{root} has no {' or '.join(names)}; the layout of {data_set} needs one")


def require_pictures(paths: Sequence[Path]) -> None:
    """Check that all pictures that a list names are there.

    Raises:
        ValueError: some are not; the message names the first.
    """
    missing = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if missing:
        raise ValueError(f"{len(missing)} of {len(set(paths))} pictures are not there; the first is {missing[0]}")


def read_json(path: Path) -> Any:  # noqa: ANN401
    """What a JSON file holds.

    Raises:
        ValueError: it is not JSON; the message names the file.
    """
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def require_fields(rows: Sequence[Mapping[str, Any]], fields: Sequence[str], path: Path) -> None:
    """Check that each entry of a file has these fields.

    Raises:
        ValueError: one lacks one.
    """
    for number, row in enumerate(rows):
        for field in fields:
            if field not in row:
                raise ValueError(f"{path}: entry {number} has no {field!r}")


def zip_members(path: Path) -> set[str]:
    """The names in a zip file.

    Raises:
        ValueError: it is not one, or is incomplete.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no zip file, or is incomplete: {error}") from error
