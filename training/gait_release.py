"""From a finished gait run to a bundled checkpoint: interval, figures, golden sample, manifest entry."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from models.checkpoint import Checkpoint, Interval, Preprocessing, load_network, sha256_of
from models.conformal import age_interval, fit_margin
from models.golden import write_golden
from models.manifest import write_entry
from models.ordinal import ordinal_distribution
from training.gait import held_out_split
from training.gait_evaluation import answers, score_ages
from training.gait_sets import SYNTHETIC_DATA, UNKNOWN, GeiSet, load_geis


def read_card(run: Path) -> dict[str, Any]:
    """What `training.gait.train` wrote about a run.

    Raises:
        ValueError: the run is not finished.
    """
    path = run / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing; `gaitkeeper train gait` writes it when it ends")
    return dict(json.loads(path.read_text()))


def calibration_walks(card: Mapping[str, Any], data: str, cache: Path | None = None) -> GeiSet:
    """Walks that a run was not trained on: all walkers of another seed, or what the run held out of OULP-Age.

    Args:
        card: of the run.
        data: `synthetic:SEED:COUNT`, or the folder of OULP-Age that the run was trained on.
        cache: see `load_geis`.

    Raises:
        ValueError: they are those the run was trained on, or nothing was held out.
    """
    recipe = card["recipe"]
    walks = load_geis(data, "train", tuple(recipe["input_size"]), cache)
    if SYNTHETIC_DATA.match(data):
        if data.split(":")[1] == str(card["data"]).split(":")[1]:
            raise ValueError(f"the run was trained on walkers of the seed of {data}; choose another seed")
        return walks
    _, held_out = held_out_split(len(walks), recipe["held_out"], recipe["seed"])
    if not len(held_out):
        raise ValueError("the run held no walks out, so there are none to fit the interval on")
    return walks.subset(held_out)


def release_gait(
    run: Path,
    draft: Checkpoint,
    calibration: GeiSet,
    tests: Sequence[GeiSet],
    weights_dir: Path,
    level: float = 0.9,
) -> Checkpoint:
    """Copy a run's weights into a weights folder, and enter in its manifest what was found out about them.

    Args:
        run: folder that `training.gait.train` wrote.
        draft: what `draft_checkpoint` gives.
        calibration: walks that the interval is fitted on; nothing else may have seen them.
        tests: what to measure on.
        weights_dir: folder of manifest.toml.
        level: of the interval.

    Returns:
        The manifest entry.

    Raises:
        ValueError: the run is not finished, or there are too few walks to fit an interval on.
        CheckpointError: its weights do not fit its network.
    """
    card = read_card(run)
    recipe, path = card["recipe"], weights_dir / f"{draft.name}.safetensors"
    shutil.copyfile(run / "model.safetensors", path)
    size = (recipe["input_size"][0], recipe["input_size"][1])
    checkpoint = replace(
        draft,
        network="glcnn",
        arguments={"input_size": size, "num_ages": recipe["num_ages"]},
        preprocessing=Preprocessing(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), flip=True),
        file=path.name,
        sha256=sha256_of(path),
        command=card["command"],
        gender=card["gender"],
    )
    network = load_network(checkpoint, weights_dir)
    interval = _fit_interval(network, calibration, level)
    measured = {test.source: _rounded(measure(network, test, interval, card["gender"])) for test in tests}
    checkpoint = replace(checkpoint, interval=interval, measured=measured)
    write_golden(checkpoint, network, weights_dir)
    write_entry(weights_dir, checkpoint)
    return checkpoint


def measure(
    network: nn.Module, walks: GeiSet, interval: Interval | None, gender: bool, flip: bool = True
) -> dict[str, float]:
    """The row of `gaitkeeper evaluate gait`: errors, how often and how widely the interval holds, and the gender.

    Args:
        network: GL-CNN.
        walks: to measure on.
        interval: of the checkpoint.
        gender: whether the network has learnt to tell one.
        flip: average the answers with those for the mirrored pictures.
    """
    answer = answers(network, walks.geis, flip)
    scores = score_ages(answer.age_logits, walks.ages)
    row = {"MAE": scores.mae, "CS(1)": scores.cs1, "CS(5)": scores.cs5, "CS(10)": scores.cs10}
    if interval:
        low, high = age_interval(
            ordinal_distribution(answer.age_logits.double()).numpy(), interval.level, interval.margin
        )
        row["in interval"] = float(((low <= walks.ages) & (walks.ages <= high)).mean())
        row["median width, years"] = float(np.median(high - low))
    known = walks.genders != UNKNOWN
    if gender and known.any():
        row["gender"] = float((answer.gender_logits.argmax(dim=1).numpy() == walks.genders)[known].mean())
    return row


def _fit_interval(network: nn.Module, walks: GeiSet, level: float) -> Interval:
    probabilities = ordinal_distribution(answers(network, walks.geis, flip=True).age_logits.double()).numpy()
    margin = fit_margin(probabilities, walks.ages.astype(np.float64), level)
    return Interval(level, round(margin, 3), walks.source)


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
