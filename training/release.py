"""From a finished run to a bundled checkpoint: threshold, calibration, figures, golden sample, manifest entry."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import models
from models.calibration import Calibration, fit_calibration
from models.checkpoint import Checkpoint, Preprocessing, Threshold, sha256_of
from models.comparisons import compare_people
from models.golden import write_golden
from models.manifest import write_entry
from training.datasets import ReidImages, concatenate, load_reid
from training.metrics import RetrievalScores
from training.reid_evaluation import embed, evaluate, held_out_split


@dataclass(frozen=True)
class TestSet:
    """A query and a gallery set under one name."""

    name: str
    query: ReidImages
    gallery: ReidImages


def load_test_set(root: Path, boxes: str | None = None) -> TestSet:
    """Read the query and gallery splits of a data set.

    Raises:
        ValueError: a split is missing; the message says which.
    """
    name = root.name + (f" ({boxes})" if boxes else "")
    return TestSet(name, load_reid(root, "query", boxes), load_reid(root, "gallery", boxes))


def fit_threshold(embeddings: NDArray[np.float32], identities: NDArray[np.int64], false_match_rate: float) -> float:
    """The cosine similarity that a share of the pairs of different people reaches.

    Args:
        embeddings: (N, D) unit rows.
        identities: (N,) who each row shows.
        false_match_rate: that share.
    """
    similarities = embeddings @ embeddings.T
    impostors = similarities[identities[:, None] != identities[None, :]]
    return float(np.quantile(impostors, 1 - false_match_rate))


def fit_default_calibration(embeddings: NDArray[np.float32], people: ReidImages, fitted_on: str) -> Calibration | None:
    """The calibration that a checkpoint comes with; None if there are too few people to fit one."""
    try:
        return fit_calibration(compare_people(embeddings, people.identities, people.cameras), fitted_on)
    except ValueError:
        return None


def figures(scores: RetrievalScores) -> dict[str, float]:
    """The numbers of the papers' tables, as fractions."""
    ranks = {f"rank_{k}": round(scores.rank(k), 4) for k in (1, 5, 10)}
    return ranks | {"mAP": round(scores.mean_average_precision, 4)}


def release_reid(
    run: Path,
    draft: Checkpoint,
    train_roots: Sequence[Path],
    test_sets: Sequence[TestSet],
    weights_dir: Path,
    false_match_rate: float = 0.001,
) -> Checkpoint:
    """Copy a run's weights into a weights folder, and enter in its manifest what was found out about them.

    The threshold and the calibration are fitted on the identities that the run held out of its training.

    Args:
        run: folder that `training.reid.train` wrote.
        draft: what `draft_checkpoint` gives.
        train_roots: the data folders of the run, in the same order.
        test_sets: what to measure on.
        weights_dir: folder of manifest.toml.
        false_match_rate: at which the threshold is set.

    Returns:
        The manifest entry.

    Raises:
        ValueError: the run held nobody out, or its data are not there.
    """
    card = json.loads((run / "card.json").read_text())
    recipe = card["recipe"]
    _, held_out = held_out_split(
        concatenate([load_reid(root, "train") for root in train_roots]), recipe["held_out"], recipe["seed"]
    )
    if held_out is None:
        raise ValueError("the run held no identities out, so there is nobody to fit the threshold on")
    network = _trained(run, recipe)
    people = concatenate_same(held_out.query, held_out.gallery)
    embeddings = embed(network, people, flip=True)
    similarity = fit_threshold(embeddings, people.identities, false_match_rate)
    fitted_on = f"pairs among {recipe['held_out']} identities held out of training"
    path = weights_dir / f"{draft.name}.safetensors"
    shutil.copyfile(run / "model.safetensors", path)
    height, width = network.input_size  # type: ignore[misc]
    checkpoint = replace(
        draft,
        network=recipe["network"],
        arguments=recipe["arguments"],
        preprocessing=Preprocessing((height, width), flip=True),
        file=path.name,
        sha256=sha256_of(path),
        command=card["command"],
        threshold=Threshold(round(similarity, 4), false_match_rate, fitted_on),
        calibration=fit_default_calibration(embeddings, people, fitted_on),
        measured={test.name: figures(evaluate(network, test.query, test.gallery, flip=True)) for test in test_sets},
    )
    write_golden(checkpoint, network, weights_dir)
    write_entry(weights_dir, checkpoint)
    return checkpoint


def _trained(run: Path, recipe: dict[str, Any]) -> torch.nn.Module:
    network = models.create(recipe["network"], **recipe["arguments"])
    network.load_state_dict(load_file(run / "model.safetensors"), strict=True)
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def concatenate_same(a: ReidImages, b: ReidImages) -> ReidImages:
    """Join two parts of one data set, whose identities mean the same people."""
    return ReidImages(
        a.source,
        a.images + b.images,
        np.concatenate([a.identities, b.identities]),
        np.concatenate([a.cameras, b.cameras]),
        a.names + b.names,
    )
