"""The training loop for ages, and what becomes of a finished run."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import models
import training.gait
from models.checkpoint import bundled_weights_dir, load_network, read_manifest
from models.golden import read_golden
from tests.training.layouts import write_oulp_age
from training.drafts import draft_checkpoint
from training.gait import GaitRecipe, held_out_split, train
from training.gait_release import calibration_walks, measure, read_card, release_gait
from training.gait_sets import UNKNOWN, GeiSet, load_geis

TINY = GaitRecipe(num_ages=20, epochs=2, batch_size=12, ema_decay=0.5, held_out=6)


def silent(line: str) -> None:
    del line


def bright_as_old(count: int = 18, seed: int = 0) -> GeiSet:
    """Walks whose picture is as bright as they are old, half of them of unknown gender."""
    rng = np.random.default_rng(seed)
    ages = rng.integers(2, 20, size=count)
    geis = np.tile((12 * ages).astype(np.uint8)[:, None, None], (1, 64, 44))
    return GeiSet(f"synthetic:{seed}:{count}", geis, ages, np.where(np.arange(count) % 2, rng.integers(2), UNKNOWN))


def test_a_run_writes_weights_a_card_and_curves(tmp_path: Path) -> None:
    path = train(bright_as_old(), TINY, tmp_path, "gaitkeeper train gait", silent)

    network = models.create("glcnn", num_ages=20)
    network.load_state_dict(load_file(path), strict=True)
    card = read_card(tmp_path)
    with (tmp_path / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    assert (card["training_walks"], card["command"]) == (12, "gaitkeeper train gait")
    assert [row["epoch"] for row in curves] == ["1", "2"]
    assert float(curves[-1]["MAE"]) == pytest.approx(card["held_out"]["mae"], rel=1e-4)


def test_the_loss_falls_and_the_rate_runs_through_one_cycle(tmp_path: Path) -> None:
    recipe = replace(TINY, epochs=6, ema_decay=0.0, gender_weight=0.0, held_out=0)

    train(bright_as_old(12), recipe, tmp_path, "", silent)

    with (tmp_path / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    losses, rates = ([float(row[name]) for row in curves] for name in ("loss", "learning_rate"))
    assert min(losses[-2:]) < 0.9 * losses[0]
    assert rates[0] < max(rates)
    assert rates[-1] < 0.2 * max(rates)
    assert curves[-1]["MAE"] == ""


def test_an_interrupted_run_ends_where_an_unbroken_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unbroken = load_file(train(bright_as_old(), TINY, tmp_path / "unbroken", "", silent))

    def stop(*_: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.gait, "watched_epochs", lambda first, last: range(first, last - 1))
        patch.setattr(training.gait, "_write_result", stop)
        with pytest.raises(KeyboardInterrupt):
            train(bright_as_old(), TINY, tmp_path / "broken", "", silent)
    resumed = load_file(train(bright_as_old(), TINY, tmp_path / "broken", "", silent))

    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


def test_the_distribution_loss_can_be_left_out(tmp_path: Path) -> None:
    with_it, without = (
        load_file(train(bright_as_old(), replace(TINY, distribution_weight=w, epochs=1), tmp_path / str(w), "", silent))
        for w in (1.0, 0.0)
    )

    assert not torch.equal(with_it["linear_age.weight"], without["linear_age.weight"])


def test_pictures_of_another_size_and_a_split_that_leaves_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not \\(128, 88\\)"):
        train(bright_as_old(), replace(TINY, input_size=(128, 88)), tmp_path, "", silent)
    with pytest.raises(ValueError, match="leaves none to train on"):
        train(bright_as_old(), replace(TINY, held_out=18), tmp_path, "", silent)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(bright_as_old(), TINY, folder, "gaitkeeper train gait --data synthetic:0:18", silent)
    return folder


def test_a_release_loads_and_says_what_was_measured(run: Path, tmp_path: Path) -> None:
    draft = draft_checkpoint("gait", "walker", "Apache-2.0", True, ["rendered walkers"], "not for people")
    calibration, test = bright_as_old(30, seed=1), bright_as_old(20, seed=2)

    release_gait(run, draft, calibration, [test], tmp_path, level=0.8)

    checkpoint = read_manifest(tmp_path)["walker"]
    network = load_network(checkpoint, tmp_path)
    assert checkpoint.interval is not None
    assert (checkpoint.interval.level, checkpoint.interval.fitted_on) == (0.8, "synthetic:1:30")
    assert (checkpoint.command, checkpoint.commercial_use) == ("gaitkeeper train gait --data synthetic:0:18", True)
    again = measure(network, test, checkpoint.interval, checkpoint.gender)
    assert checkpoint.measured["synthetic:2:20"] == pytest.approx(again, abs=1e-4)
    assert again["in interval"] > 0.5
    assert np.isfinite(read_golden(checkpoint, tmp_path)).all()


def test_intervals_are_fitted_on_walks_that_the_run_has_not_seen(run: Path, tmp_path: Path) -> None:
    card = read_card(run)
    root = str(write_oulp_age(tmp_path, {f"{number:03d}": number for number in range(2, 22)}))

    held_out = calibration_walks(card, root)

    kept, _ = held_out_split(20, TINY.held_out, TINY.seed)
    trained_on = load_geis(root, "train", TINY.input_size).ages[kept]
    assert len(held_out) == TINY.held_out
    assert not set(held_out.ages) & set(trained_on)
    with pytest.raises(ValueError, match="choose another seed"):
        calibration_walks(card, "synthetic:0:10")


def test_a_run_that_has_not_ended_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"card\.json is missing"):
        read_card(tmp_path)


def test_without_known_genders_none_are_scored(run: Path) -> None:
    network = models.create("glcnn", num_ages=20).eval()
    walks = replace(bright_as_old(), genders=np.full(18, UNKNOWN))

    assert set(measure(network, walks, None, gender=True)) == {"MAE", "CS(1)", "CS(5)", "CS(10)"}
    assert json.loads((run / "card.json").read_text())["recipe"]["num_ages"] == 20


@pytest.mark.weights
@pytest.mark.slow
def test_the_bundled_checkpoint_reaches_its_figures_on_other_walkers() -> None:
    checkpoint = read_manifest(bundled_weights_dir())["glcnn-walker"]
    walks = load_geis("synthetic:3:2000", "test", checkpoint.preprocessing.size)

    row = measure(load_network(checkpoint, bundled_weights_dir()), walks, checkpoint.interval, checkpoint.gender)

    assert row == pytest.approx(checkpoint.measured[walks.source], abs=0.05)
