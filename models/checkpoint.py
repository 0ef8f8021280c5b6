"""Checkpoints: what the manifest says of each, and loading one entirely or not at all."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from models.calibration import Calibration
from models.catalog import create
from models.transforms import IMAGENET_MEAN, IMAGENET_STD, Normalisation

MANIFEST = "manifest.toml"


class CheckpointError(Exception):
    """A checkpoint is missing, altered, or does not fit its network exactly."""


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become network input.

    Attributes:
        size: (height, width).
        mean, std: of RGB values in 0..1.
        flip: the mirrored picture is part of the answer.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    flip: bool = False

    @property
    def normalisation(self) -> Normalisation:
        """The normalisation that `mean` and `std` stand for."""
        return Normalisation(self.mean, self.std)


@dataclass(frozen=True)
class Threshold:
    """The similarity from which two crops count as the same person.

    Attributes:
        similarity: cosine similarity, -1..1.
        false_match_rate: share of pairs of different people at or above it, where it was fitted.
        fitted_on: which people.
    """

    similarity: float
    false_match_rate: float
    fitted_on: str


@dataclass(frozen=True)
class Interval:
    """How an age's interval is made: see `models.conformal.age_interval`.

    Attributes:
        level: how often it holds the true age, among people like those it was fitted on.
        margin: years added at both ends of the interval that the distribution claims itself.
        fitted_on: which people.
    """

    level: float
    margin: float
    fitted_on: str


@dataclass(frozen=True)
class Source:
    """The authors' file that a checkpoint is converted from.

    Attributes:
        file: its name.
        sha256: of it, or as many of the first digits as are known; empty if none are.
        page: where the authors describe it and print its figures.
    """

    file: str
    sha256: str = ""
    page: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """One entry of the manifest.

    Attributes:
        name: what users call it.
        task: "reid", "pose", "gait" or "classification".
        network: a name of `models.names()`.
        arguments: the network's keyword arguments.
        preprocessing: how it was trained to see.
        file: file name beside the manifest.
        sha256: of that file; empty until it is converted from its source.
        origin: where the file, or the source, comes from: a URL, a file name, or "trained by this project".
        licence: of the weights.
        commercial_use: whether that licence allows it.
        trained_on: data sets.
        command: how it was trained, if here.
        threshold: for re-identification.
        calibration: likewise; None where nobody was held out to fit it on.
        interval: for ages.
        gender: for ages, whether the network learnt to tell a gender too; many have outputs for it that mean nothing.
        published: figures from the paper or its repository, never checked here.
        measured: figures measured by this project, with the command under "command".
        notes: what it cannot do.
        source: what it is converted from; None if the file comes with the project.
    """

    name: str
    task: str
    network: str
    preprocessing: Preprocessing
    file: str
    sha256: str
    origin: str
    licence: str
    commercial_use: bool
    trained_on: tuple[str, ...] = ()
    command: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    threshold: Threshold | None = None
    calibration: Calibration | None = None
    interval: Interval | None = None
    gender: bool = False
    published: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    notes: str = ""
    source: Source | None = None

    @property
    def is_official(self) -> bool:
        """Whether its authors publish the source; `origin` says where."""
        return self.source is not None and self.origin.startswith(("http://", "https://"))

    def is_available(self, weights_dir: Path) -> bool:
        """Whether the file lies beside the manifest; an official one may be absent until it is fetched."""
        return (weights_dir / self.file).is_file()


def bundled_weights_dir() -> Path:
    """The folder of the weights that come with the project."""
    return Path(__file__).resolve().parents[1] / "weights"


def read_manifest(weights_dir: Path) -> dict[str, Checkpoint]:
    """Read every checkpoint of a manifest, by name.

    Raises:
        CheckpointError: there is no manifest, an entry lacks or misspells a key, or two have the same name.
    """
    path = weights_dir / MANIFEST
    try:
        entries = tomllib.loads(path.read_text())["checkpoints"]
        checkpoints = [_entry(dict(entry)) for entry in entries]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    by_name = {checkpoint.name: checkpoint for checkpoint in checkpoints}
    if len(by_name) < len(checkpoints):
        raise CheckpointError(f"{path}: two checkpoints have the same name")
    return by_name


def _entry(values: dict[str, Any]) -> Checkpoint:
    preprocessing = {key: _tuple(value) for key, value in values.pop("preprocessing").items()}
    threshold, source = values.pop("threshold", None), values.pop("source", None)
    interval = values.pop("interval", None)
    arguments = {key: _tuple(value) for key, value in values.pop("arguments", {}).items()}
    calibration = values.pop("calibration", None)
    return Checkpoint(
        **{key: _tuple(value) for key, value in values.items()},
        preprocessing=Preprocessing(**preprocessing),
        arguments=arguments,
        threshold=Threshold(**threshold) if threshold else None,
        calibration=Calibration.read(calibration) if calibration else None,
        interval=Interval(**interval) if interval else None,
        source=Source(**source) if source else None,
    )


def _tuple(value: Any) -> Any:  # noqa: ANN401
    return tuple(value) if isinstance(value, list) else value


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in 64 hexadecimal digits.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def verify_sha256(path: Path, expected: str) -> None:
    """Check a file's hash.

    Raises:
        CheckpointError: the file is missing or differs.
    """
    actual = sha256_of(path)
    if actual != expected:
        raise CheckpointError(f"{path} has sha256 {actual}, not {expected} as the manifest says")


def load_network(checkpoint: Checkpoint, weights_dir: Path) -> nn.Module:
    """Build a checkpoint's network and load its weights, in evaluation mode, float32.

    Raises:
        CheckpointError: the file is missing, altered, or has not exactly the network's parameters.
    """
    path = weights_dir / checkpoint.file
    if not checkpoint.is_available(weights_dir):
        raise CheckpointError(f"{checkpoint.name} is not here: {path} is missing{_how_to_get(checkpoint)}")
    if not checkpoint.sha256:
        raise CheckpointError(f"{checkpoint.name} has no sha256 in the manifest, so {path} cannot be trusted")
    verify_sha256(path, checkpoint.sha256)
    try:
        network = create(checkpoint.network, **checkpoint.arguments)
        network.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(f"{checkpoint.name} does not fit {checkpoint.network}: {error}") from error
    # oneDNN's fast convolutions want channels last.
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]


def _how_to_get(checkpoint: Checkpoint) -> str:
    return f"; `gaitkeeper weights info {checkpoint.name}` says how to get it" if checkpoint.is_official else ""
