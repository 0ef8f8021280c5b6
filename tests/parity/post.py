"""Decoders, crops, targets, losses and metrics against what the authors' code answered (folders `post_*`)."""

import math
from collections.abc import Iterator
from pathlib import Path

from tests.parity import post_hourglass, post_hrnet, post_reid
from tests.parity.comparison import Check, case_name
from tests.parity.result import Result

CHECKS = {
    "post_hrnet": post_hrnet.CHECKS,
    "post_hourglass": post_hourglass.CHECKS,
    "post_reid": post_reid.CHECKS,
}
"""For each kind of folder, named by how its name begins: a check a file pattern."""


def run(directory: Path) -> list[Result]:
    """Compare everything found in a folder; a file that is not there is not compared.

    A file that cannot be compared is a failed result of its own, so that the others still get their verdict.

    Raises:
        ValueError: the folder's name is none of the three kinds, or it holds nothing that can be compared.
    """
    kind = next((kind for kind in CHECKS if directory.name.startswith(kind)), None)
    if kind is None:
        raise ValueError(f"the name of {directory} begins with none of {', '.join(CHECKS)}")
    results = [
        result
        for pattern, check in CHECKS[kind].items()
        for path in sorted(directory.glob(pattern))
        for result in _attempted(check, path)
    ]
    if not results:
        raise ValueError(f"{directory} holds nothing that can be compared")
    return results


def _attempted(check: Check, path: Path) -> Iterator[Result]:
    try:
        yield from check(path)
    except Exception as error:
        yield Result(case_name(path), f"{type(error).__name__}: {error}", math.inf, 0, passed=False)
