"""Detectors by name."""

from pathlib import Path

from models.checkpoint import CheckpointError, bundled_weights_dir, load_network, read_manifest
from models.detectors import hog
from models.detectors.base import DEFAULT_MIN_SCORE, DetectorError, PersonDetector
from models.detectors.descriptor import read_descriptor
from models.detectors.exported import ExportedDetector
from models.detectors.torchvision import TorchvisionDetector

TASK = "detection"


def create_detector(
    name: str = "hog",
    descriptor: Path | None = None,
    min_score: float | None = None,
    weights_dir: Path | None = None,
    max_pixels: int = hog.MAX_PIXELS,
) -> PersonDetector:
    """Build a detector.

    Args:
        name: "hog", which needs no file; "exported", the file that `descriptor` describes; or a checkpoint of the
            manifest whose task is detection.
        descriptor: a TOML file, see `Descriptor`; for "exported" only.
        min_score: persons below are left out; None for the detector's own choice.
        weights_dir: folder with manifest.toml; the bundled one if None.
        max_pixels: that "hog" brings a picture to at most; the others have a size of their own.

    Raises:
        DetectorError: there is no such detector, or what it needs is missing or broken.
    """
    if (name == "exported") != (descriptor is not None):
        raise DetectorError("the detector 'exported', and no other, needs a descriptor file")
    least = default_min_score(name, descriptor) if min_score is None else min_score
    if descriptor is not None:
        return ExportedDetector(read_descriptor(descriptor), least)
    if name == "hog":
        return hog.HogDetector(least, max_pixels)
    return _from_manifest(name, least, weights_dir or bundled_weights_dir())


def default_min_score(name: str, descriptor: Path | None = None) -> float:
    """From which score a detector tells of persons if nobody chooses another.

    Raises:
        DetectorError: the descriptor cannot be read.
    """
    if descriptor is not None:
        return read_descriptor(descriptor).min_score
    return hog.MIN_SCORE if name == "hog" else DEFAULT_MIN_SCORE


def _from_manifest(name: str, min_score: float, weights_dir: Path) -> PersonDetector:
    try:
        checkpoints = read_manifest(weights_dir)
        known = [checkpoint.name for checkpoint in checkpoints.values() if checkpoint.task == TASK]
        if name not in known:
            raise DetectorError(f"there is no detector {name!r}; choose from {', '.join(('hog', 'exported', *known))}")
        return TorchvisionDetector(load_network(checkpoints[name], weights_dir), min_score)
    except CheckpointError as error:
        raise DetectorError(str(error)) from error
