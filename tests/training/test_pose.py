"""Pose training on drawn persons: what it writes, that it resumes, and that it learns."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import models
from tests.training.layouts import write_lsp
from training.lsp_datasets import LspPersons, load_lsp
from training.pose import PoseTrainingRecipe, train
from training.pose_crops import keypoint_region, square_crops

TINY = PoseTrainingRecipe(
    arguments={"num_stacks": 2, "channels": 8}, size=64, epochs=2, batch_size=3, ema_decay=0.5, held_out=2
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LspPersons:
    return load_lsp(write_lsp(tmp_path_factory.mktemp("lsp")))


def silent(line: str) -> None:
    del line


def curves(folder: Path) -> list[dict[str, str]]:
    with (folder / "curves.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_writes_weights_a_card_and_curves(data: LspPersons, tmp_path: Path) -> None:
    path = train(data, TINY, tmp_path, "gaitkeeper train pose", silent, validate_every=1)

    state = load_file(path)
    models.create(TINY.network, num_keypoints=14, **TINY.arguments).load_state_dict(state, strict=True)
    card = json.loads((tmp_path / "card.json").read_text())
    assert state["conv1.weight"].dtype == torch.float16
    assert (card["training_persons"], card["skeleton"], card["command"]) == (4, "lsp14", "gaitkeeper train pose")
    assert [row["epoch"] for row in curves(tmp_path)] == ["1", "2"]
    assert all(0 <= float(row["PCK@0.2"]) <= 1 for row in curves(tmp_path))


def test_a_run_learns(data: LspPersons, tmp_path: Path) -> None:
    train(data, replace(TINY, epochs=8, held_out=0), tmp_path, "", silent)

    rows = curves(tmp_path)
    assert float(rows[-1]["location"]) < float(rows[0]["location"]) - 0.5
    assert float(rows[-1]["squared"]) < float(rows[0]["squared"])


def interrupt_at(words: str) -> Callable[[str], None]:
    """A report that cuts the run off when it hears `words`."""

    def report(line: str) -> None:
        if line.startswith(words):
            raise InterruptedError

    return report


def test_an_interrupted_run_ends_where_an_unbroken_one_does(data: LspPersons, tmp_path: Path) -> None:
    recipe = replace(TINY, epochs=4)
    unbroken = load_file(train(data, recipe, tmp_path / "a", "", silent))

    with pytest.raises(InterruptedError):
        train(data, recipe, tmp_path / "b", "", interrupt_at("epoch 3"), validate_every=3)
    resumed = load_file(train(data, recipe, tmp_path / "b", "", silent))

    assert max(float((unbroken[name].float() - resumed[name].float()).abs().max()) for name in unbroken) < 1e-2


def test_training_is_deterministic_by_its_seed(data: LspPersons, tmp_path: Path) -> None:
    names = {"first": 0, "again": 0, "other": 1}
    runs = [
        load_file(train(data, replace(TINY, seed=seed), tmp_path / name, "", silent)) for name, seed in names.items()
    ]

    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not torch.equal(runs[0]["conv1.weight"], runs[2]["conv1.weight"])


def test_a_folder_of_another_recipe_is_refused(data: LspPersons, tmp_path: Path) -> None:
    train(data, replace(TINY, epochs=1), tmp_path, "", silent)

    with pytest.raises(ValueError, match="belongs to another recipe"):
        train(data, TINY, tmp_path, "", silent)


def test_too_few_persons_are_refused(data: LspPersons, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="6 persons are too few to hold 5 out"):
        train(data, replace(TINY, held_out=5), tmp_path, "", silent)


def test_pictures_of_other_sizes_are_cut_out_around_the_person(data: LspPersons) -> None:
    crops = square_crops(data, 40)

    assert crops.images.shape == (6, 40, 40, 3)
    seen = crops.points[0]
    assert (seen.min(axis=0) + seen.max(axis=0)) / 2 == pytest.approx([20, 20])
    # The crop is one and a half times as wide as the keypoints need.
    assert (seen.max(axis=0) - seen.min(axis=0)).max() == pytest.approx(40 / 1.5)
    same = square_crops(data, 80)
    assert np.array_equal(same.images[0], data.images[0])
    assert np.array_equal(same.points[0], data.points[0])


def test_hidden_keypoints_do_not_widen_a_crop() -> None:
    points = np.array([[0.0, 0.0], [10.0, 20.0], [500.0, 500.0]])

    region = keypoint_region(points, np.array([True, True, False]))

    assert region.center.tolist() == [5, 10]
    assert float(region.width) == 30
