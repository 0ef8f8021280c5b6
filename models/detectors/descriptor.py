"""The small TOML file that says how an exported detector sees and answers."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from models.detectors.base import DEFAULT_MIN_SCORE, DetectorError

CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "channels": ("RGB", "BGR"),
    "resize": ("stretch", "letterbox"),
    "output": ("ssd", "yolov5", "yolov8"),
}
SIDES = 2
CHANNELS = 3


@dataclass(frozen=True)
class Descriptor:
    """How an exported detector sees and answers. The network's input is (pixel * scale - mean) / std.

    Attributes:
        file: the network, .onnx or .xml; in the TOML file relative to its folder.
        input_size: (height, width).
        output: "ssd": rows of image, label, score, x1, y1, x2, y2 in 0..1. "yolov5": (1, N, 5 + classes), rows of
            centre and size in input pixels, objectness and class scores. "yolov8": (1, 4 + classes, N), the same
            without objectness.
        person: label or class that means person.
        layout: order of the input's axes.
        channels: order of the colours.
        scale: of pixels 0..255.
        mean, std: of each channel, in the network's order, after scaling.
        resize: "stretch" fills the input, "letterbox" keeps the shape and has grey below or beside it.
        min_score: persons below are left out, unless the caller says otherwise.
        max_iou: persons that overlap a surer one by more are left out; 1 for networks that have done this themselves.
    """

    file: Path
    input_size: tuple[int, int]
    output: str
    person: int
    layout: str = "NCHW"
    channels: str = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: str = "stretch"
    min_score: float = DEFAULT_MIN_SCORE
    max_iou: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what no network can mean."""
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key} must be one of {', '.join(allowed)}, not {getattr(self, key)!r}")
        if len(self.input_size) != SIDES or min(self.input_size) < 1:
            raise ValueError("input_size must be [height, width]")
        if not len(self.mean) == len(self.std) == CHANNELS or 0 in self.std:
            raise ValueError("mean and std must have three numbers, and std no zero")
        if not (0 <= self.min_score <= 1 and 0 <= self.max_iou <= 1):
            raise ValueError("min_score and max_iou must be between 0 and 1")


def read_descriptor(path: Path) -> Descriptor:
    """Read a descriptor.

    Raises:
        DetectorError: it is missing, no TOML, or has a key that is unknown, missing or of a wrong value.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except OSError as error:
        raise DetectorError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DetectorError(f"{path} is not TOML: {error}") from error
    known = {field.name for field in fields(Descriptor)}
    if unknown := sorted(values.keys() - known):
        raise DetectorError(f"{path} has the unknown key {unknown[0]}; known are {', '.join(sorted(known))}")
    try:
        file = path.parent / values.pop("file")
        return Descriptor(file, **{key: _tuple(value) for key, value in values.items()})
    except KeyError as error:
        raise DetectorError(f"{path} lacks {error.args[0]}") from error
    except (TypeError, ValueError) as error:
        raise DetectorError(f"{path}: {error}") from error


def _tuple(value: Any) -> Any:  # noqa: ANN401
    return tuple(value) if isinstance(value, list) else value
