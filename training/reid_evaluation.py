"""Evaluation of re-identification networks: embeddings of a query and a gallery set, then CMC and mAP."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.transforms import Normalisation, resize, to_tensor
from training.datasets import ReidImages
from training.metrics import RetrievalScores, retrieval_scores


@dataclass(frozen=True)
class HeldOut:
    """Identities kept out of training, as a query and a gallery set."""

    query: ReidImages
    gallery: ReidImages


def held_out_split(data: ReidImages, count: int, seed: int) -> tuple[ReidImages, HeldOut | None]:
    """Keep `count` identities out of training.

    They are drawn among those seen by at least two cameras. Of each, the first image of every camera is a query and
    the others are the gallery.

    Returns:
        What remains for training, and the identities held out; None where `count` is 0.

    Raises:
        ValueError: fewer than `count` identities were seen by two cameras.
    """
    if count == 0:
        return data, None
    eligible = [i for i in np.unique(data.identities) if len(set(data.cameras[data.identities == i])) > 1]
    if len(eligible) < count:
        raise ValueError(f"only {len(eligible)} identities were seen by two cameras; {count} cannot be held out")
    chosen = np.random.default_rng(seed).choice(eligible, count, replace=False)
    out = np.isin(data.identities, chosen)
    seen: set[tuple[int, int]] = set()
    query: list[int] = []
    gallery: list[int] = []
    for index in np.flatnonzero(out):
        view = (int(data.identities[index]), int(data.cameras[index]))
        (gallery if view in seen else query).append(int(index))
        seen.add(view)
    return data.subset(np.flatnonzero(~out)), HeldOut(data.subset(query), data.subset(gallery))


@torch.inference_mode()
def embed(network: nn.Module, data: ReidImages, flip: bool = False, batch_size: int = 64) -> NDArray[np.float32]:
    """Embed every crop.

    Args:
        network: maps normalised crops (B, 3, H, W) to features; its `input_size` says H and W.
        data: crops of any size.
        flip: average each feature with that of the mirrored crop, before the length is set to one.
        batch_size: crops a forward pass.

    Returns:
        (N, D) float32 rows of unit length.
    """
    network.eval()
    device = next(network.parameters()).device
    normalise, rows = Normalisation(), []
    size: tuple[int, int] = network.input_size  # type: ignore[assignment]
    for start in range(0, len(data), batch_size):
        crops = torch.stack([resize(to_tensor(image), size) for image in data.images[start : start + batch_size]])
        batch = normalise(crops).to(device, memory_format=torch.channels_last)
        features: Tensor = network(batch)
        if flip:
            features = (features + network(batch.flip(3))) / 2
        rows.append(F.normalize(features.float()).cpu())
    return torch.cat(rows).numpy()


def evaluate(network: nn.Module, query: ReidImages, gallery: ReidImages, flip: bool = False) -> RetrievalScores:
    """Rank the gallery for every query by cosine similarity and score it by the Market-1501 protocol."""
    similarities = embed(network, query, flip) @ embed(network, gallery, flip).T
    return retrieval_scores(similarities, query.identities, gallery.identities, query.cameras, gallery.cameras)
