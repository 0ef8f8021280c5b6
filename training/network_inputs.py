"""Pictures as a network sees them, drawn from what a user has."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import Checkpoint
from models.predictors.pose import pose_estimator
from models.predictors.reid import PersonEmbedder
from training.datasets import decode_crops
from training.gait_sequences import is_casia, load_casia
from training.gait_sets import load_geis
from training.lsp_datasets import is_lsp, load_lsp
from training.lsp_evaluation import person_box
from training.pose_datasets import is_coco, load_coco, read_picture
from training.reid_layouts import PICTURES, CropFile, Wanted, list_crops

Person = tuple[NDArray[np.uint8], NDArray[np.float64]]
"""A picture (H, W, 3), and the box (4,) of somebody in it."""


def network_inputs(checkpoint: Checkpoint, network: nn.Module, data: str, count: int, seed: int = 0) -> Tensor:
    """Draw pictures at random, and prepare them as the service does.

    Args:
        checkpoint: of re-ID, poses or gait.
        network: what `load_network` gives for it.
        data: persons' crops, in a folder and those below, or in the training part of index.csv with a zip file; for
            poses also COCO or Leeds Sports Pose, whose boxes are cut out; for gait what `evaluate gait` reads.
        count: of pictures; all, if there are fewer.
        seed: of the draw.

    Returns:
        (N, C, H, W) float32, in random order.

    Raises:
        ValueError: the data are not there or cannot be read, or the checkpoint is for another task.
        CheckpointError: it is not known how the network is used.
    """
    rng, seen = np.random.default_rng(seed), checkpoint.preprocessing
    _require_data(data, checkpoint.task)
    if checkpoint.task == "gait":
        geis = (load_casia(Path(data), seen.size) if is_casia(Path(data)) else load_geis(data, "train", seen.size)).geis
        return torch.from_numpy(geis[rng.permutation(len(geis))[:count]])[:, None].float() / 255
    if checkpoint.task == "reid":
        embedder = PersonEmbedder(network, seen.size, seen.normalisation)
        return torch.stack([embedder.prepare(crop) for crop in _crops(Path(data), count, rng)])
    if checkpoint.task != "pose":
        raise ValueError(f"{checkpoint.name} is a checkpoint for {checkpoint.task}, of which no pictures are read")
    estimator = pose_estimator(checkpoint, network)
    return torch.stack([estimator.prepare(*person) for person in _persons(Path(data), count, rng)])


def _require_data(data: str, task: str) -> None:
    path, gait = Path(data), task == "gait"
    if gait and data.startswith("synthetic"):
        return
    if not data or not path.exists():
        raise ValueError(f"there are no data at {data!r}")
    if not path.is_dir() and not (gait and zipfile.is_zipfile(path)):
        raise ValueError(f"{data} is no folder{', no zip file and no synthetic:SEED:COUNT' if gait else ''}")


def _crops(root: Path, count: int, rng: np.random.Generator) -> Sequence[NDArray[np.uint8]]:
    if (root / "index.csv").is_file():
        crops = list_crops(root, Wanted("train"))
    else:
        paths = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in PICTURES and path.is_file())
        crops = [CropFile(str(path), -1, -1, path) for path in paths]
    if not crops:
        raise ValueError(f"{root} has no pictures ({', '.join(sorted(PICTURES))}), and no index.csv")
    return decode_crops([crops[index] for index in rng.permutation(len(crops))[:count]])


def _persons(root: Path, count: int, rng: np.random.Generator) -> Sequence[Person]:
    if is_lsp(root):
        persons = load_lsp(root)
        chosen = rng.permutation(len(persons))[:count]
        return [(persons.images[i], person_box(persons.points[i], persons.visible[i])) for i in chosen]
    if is_coco(root):
        boxed = load_coco(root)
        return [(read_picture(boxed.paths[i]), boxed.boxes[i]) for i in rng.permutation(len(boxed.paths))[:count]]
    return [(crop, np.array([0, 0, crop.shape[1], crop.shape[0]], np.float64)) for crop in _crops(root, count, rng)]
