"""How options are written that hold more than a word."""

import re
from collections.abc import Sequence
from typing import Any

MAX_SIDE = 4096


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE pairs by key; values are integers, true, false, sizes or text.

    Raises:
        ValueError: a pair is written otherwise.
    """
    arguments = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise ValueError(f"--argument is {pair!r}; write it as KEY=VALUE, for example num_keypoints=17")
        arguments[key] = _value(value)
    return arguments


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of HEIGHTxWIDTH.

    Raises:
        ValueError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise ValueError(f"{text!r} is no size; write it as HEIGHTxWIDTH, for example 256x192")
    height, width = int(match[1]), int(match[2])
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ValueError(f"{text!r} is no size; both sides must be 1 to {MAX_SIDE}")
    return height, width


def _value(text: str) -> object:
    if text.lstrip("-").isdecimal():
        return int(text)
    if text in ("true", "false"):
        return text == "true"
    return parse_size(text) if re.fullmatch(r"\d+x\d+", text) else text
