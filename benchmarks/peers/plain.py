"""What a peer serves: a picture goes in, a list of numbers comes out. The server around it is all that differs."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

import models
from app.images import ImageLimits, decode_image
from app.samples import HEIGHT, WIDTH
from models.checkpoint import Checkpoint, load_network, read_manifest
from models.predictors.pose import PoseEstimator, pose_estimator
from models.predictors.reid import PersonEmbedder
from models.runtimes.cache import FileCache
from models.runtimes.selection import RuntimeOptions, accelerate
from models.runtimes.torch import Precision

VARIABLE = "BENCHMARK_JOB"
CPU = torch.device("cpu")
WHOLE = np.array([0, 0, WIDTH, HEIGHT], np.float32)
"""The box of the person: all of a sample picture."""


@dataclass(frozen=True)
class Job:
    """What is served.

    Attributes:
        weights_dir: folder of the checkpoint "fresh".
        task: that it is for.
        port: of loopback.
        threads: of a forward pass.
        max_batch: items in one.
        precision: of it.
        runtime: that computes the network; "auto" is the fastest that Gaitkeeper has.
        plain: a peer computes the network as its paper writes it instead, in eager PyTorch.
    """

    weights_dir: str
    task: str
    port: int = 0
    threads: int = 1
    max_batch: int = 8
    precision: Precision = "fp32"
    runtime: Literal["auto", "torch"] = "torch"
    plain: bool = False

    def environment(self) -> dict[str, str]:
        """How a server's process is told."""
        return {VARIABLE: json.dumps(asdict(self))}


def job_of_environment() -> Job:
    """What this process was told."""
    return Job(**json.loads(os.environ[VARIABLE]))


class Plain:
    """A network with what comes before and after it."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        folder = Path(job.weights_dir)
        checkpoint = read_manifest(folder)["fresh"]
        if job.plain:
            network = _as_written(checkpoint, folder)
        else:
            options = RuntimeOptions(CPU, job.runtime, job.precision, job.threads)
            network = accelerate(load_network(checkpoint, folder), checkpoint, options, FileCache(folder / "cache"))
        self._plain, self._network = job.plain, network
        self._predictor = predictor(checkpoint, network)

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """A picture (H, W, 3)."""
        return decode_image(data, ImageLimits())

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """What the network sees of a picture: (3, h, w) float32."""
        if isinstance(self._predictor, PoseEstimator):
            return self._predictor.prepare(image, WHOLE)
        return self._predictor.prepare(image)

    @torch.inference_mode()
    def forward(self, batch: Tensor) -> Tensor:
        """Rows for prepared pictures."""
        if not self._plain:
            return self._predictor.forward(batch)
        output: Tensor = self._network(batch)
        if isinstance(self._predictor, PersonEmbedder):
            return F.normalize(output)
        return output[:, -1] if output.ndim == 5 else output

    def finish(self, row: Tensor) -> list[float]:
        """The answer: an embedding, or x and y of each keypoint."""
        if isinstance(self._predictor, PoseEstimator):
            (pose,) = self._predictor.finish(row[None], WHOLE[None], np.ones(1))
            return [float(value) for value in pose.points.ravel()]
        return [float(value) for value in self._predictor.finish(row)]


def predictor(checkpoint: Checkpoint, network: nn.Module) -> PersonEmbedder | PoseEstimator:
    """A network with its preprocessing, as Gaitkeeper uses it."""
    if checkpoint.task == "pose":
        return pose_estimator(checkpoint, network)
    seen = checkpoint.preprocessing
    return PersonEmbedder(network, seen.size, seen.normalisation, seen.flip)


def _as_written(checkpoint: Checkpoint, folder: Path) -> nn.Module:
    arguments = checkpoint.arguments | ({"factorised": False} if checkpoint.network.startswith("rga") else {})
    network = models.create(checkpoint.network, **arguments)
    network.load_state_dict(load_file(folder / checkpoint.file))
    return network.eval()
