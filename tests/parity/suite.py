"""All cases below a directory."""

import math
from collections.abc import Iterator
from pathlib import Path

from tests.parity import networks, post
from tests.parity.result import Result


def run_all(directory: Path) -> Iterator[Result]:
    """Run every variant of a network and every folder of post-processing in a directory, itself included."""
    below = sorted(path for path in directory.rglob("*") if path.is_dir())
    for folder in (directory, *below):
        yield from run_folder(folder)


def run_folder(folder: Path) -> Iterator[Result]:
    """Run what one folder holds: a network's variant, post-processing, or nothing."""
    try:
        if (folder / "meta.json").is_file():
            yield from networks.run(folder)
        elif folder.name.startswith("post_"):
            yield from post.run(folder)
    except Exception as error:  # one broken case must not hide the verdict on the others
        yield Result(folder.name, f"{type(error).__name__}: {error}", math.inf, 0, passed=False)
