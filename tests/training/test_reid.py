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
from app.samples import sample_crops
from models.checkpoint import load_network, read_manifest
from training.datasets import ReidImages, load_reid
from training.drafts import draft_checkpoint
from training.reid import ReidRecipe, rga_learning_rate, rrid_learning_rate, train
from training.reid_evaluation import evaluate, held_out_split
from training.release import fit_threshold, load_test_set, release_reid

TINY = ReidRecipe(
    network="rga_sc_resnet18",
    arguments={"input_size": [32, 16], "width": 8},
    schedule="one-cycle",
    epochs=2,
    ids_per_batch=2,
    images_per_id=2,
    learning_rate=1e-3,
    ema_decay=0.5,
    held_out=2,
)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn people as a data set in the official layout; the same people are in every split."""
    root = tmp_path_factory.mktemp("people")
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (root / folder).mkdir()
        for number, crop in enumerate(sample_crops(identities=6, cameras=4)):
            camera = 1 + number % 2
            name = f"{int(crop.identity[-2:]):04d}_c{camera}s1_{number:06d}_00.jpg"
            if folder != "query" or camera == 1:
                (root / folder / name).write_bytes(crop.jpeg)
    return root


@pytest.fixture
def data(data_folder: Path) -> ReidImages:
    return load_reid(data_folder, "train")


def silent(line: str) -> None:
    del line


def test_rrid_is_trained_by_its_own_recipe_and_kept_without_its_classifiers(data: ReidImages, tmp_path: Path) -> None:
    recipe = ReidRecipe(
        network="rrid_resnet50",
        schedule="rrid",
        epochs=1,
        learning_rate=0.01,
        margin=1.2,
        ids_per_batch=8,
        images_per_id=2,
    )
    few = data.subset(range(8))

    path = train(few, recipe, tmp_path, "", silent)

    models.create("rrid_resnet50").load_state_dict(load_file(path), strict=True)
    state = torch.load(tmp_path / "last.pt", weights_only=True)["optimizer"]
    assert [group["lr"] for group in state["param_groups"]] == [0.01, pytest.approx(0.001)]


@pytest.mark.parametrize(("epoch", "rate"), [(0, 1e-2), (38, 1e-2), (39, 1e-3), (58, 1e-3), (59, 1e-4), (79, 1e-4)])
def test_rrid_learns_slower_after_its_two_milestones(epoch: int, rate: float) -> None:
    assert rrid_learning_rate(epoch) == pytest.approx(rate)


@pytest.mark.parametrize(("network", "schedule"), [("rga_sc_resnet18", "rrid"), ("rga_sc_resnet18", "warm")])
def test_a_schedule_that_the_network_has_not_is_refused(
    data: ReidImages, tmp_path: Path, network: str, schedule: str
) -> None:
    with pytest.raises(ValueError, match=f"schedule '{schedule}' is not one of {network}"):
        train(data, replace(TINY, network=network, schedule=schedule), tmp_path, "", silent)


def test_swapped_colours_are_identities_of_their_own(data: ReidImages, tmp_path: Path) -> None:
    people = len(np.unique(data.identities)) - TINY.held_out

    train(data, replace(TINY, recolour_probability=0.5), tmp_path, "", silent)

    state = torch.load(tmp_path / "last.pt", weights_only=True)["network"]
    assert next(t for name, t in state.items() if name.startswith("cls.")).shape[0] == 6 * people


def test_a_run_writes_weights_a_card_and_curves(data: ReidImages, tmp_path: Path) -> None:
    path = train(data, TINY, tmp_path, "gaitkeeper train reid", silent, validate_every=1)

    network = models.create(TINY.network, **TINY.arguments)
    network.load_state_dict(load_file(path), strict=True)
    card = json.loads((tmp_path / "card.json").read_text())
    with (tmp_path / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert (card["training_identities"], card["command"]) == (4, "gaitkeeper train reid")
    assert [row["epoch"] for row in curves] == ["1", "2"]
    assert all(float(row["mAP"]) > 0 for row in curves)


def test_an_interrupted_run_ends_where_an_unbroken_one_does(
    data: ReidImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(TINY, epochs=6)
    unbroken = load_file(train(data, recipe, tmp_path / "a", "", silent))

    with pytest.raises(InterruptedError):
        train(data, recipe, tmp_path / "b", "", interrupt_at("epoch 5"), validate_every=5)
    resumed = load_file(train(data, recipe, tmp_path / "b", "", silent))

    assert max(float((unbroken[name].float() - resumed[name].float()).abs().max()) for name in unbroken) < 1e-2
    with (tmp_path / "b" / "curves.csv").open() as file:
        assert len(list(csv.DictReader(file))) >= 6


def interrupt_at(words: str) -> Callable[[str], None]:
    """A report that cuts the run off when it hears `words`."""

    def report(line: str) -> None:
        if line.startswith(words):
            raise InterruptedError

    return report


def test_a_folder_of_another_recipe_is_refused(data: ReidImages, tmp_path: Path) -> None:
    train(data, TINY, tmp_path, "", silent)

    with pytest.raises(ValueError, match="belongs to another recipe"):
        train(data, replace(TINY, epochs=3), tmp_path, "", silent)


def test_held_out_identities_are_not_trained_on(data: ReidImages) -> None:
    kept, held_out = held_out_split(data, 2, seed=0)

    assert held_out is not None
    out = set(held_out.query.identities) | set(held_out.gallery.identities)
    assert len(out) == 2
    assert not out & set(kept.identities)


def test_attention_is_added_to_a_trained_host(data: ReidImages, tmp_path: Path) -> None:
    host = train(data, replace(TINY, network="resnet18_bnneck"), tmp_path / "host", "", silent)

    path = train(data, replace(TINY, init=str(host), learning_rate=0.0), tmp_path / "attended", "", silent)

    before, after = load_file(host), load_file(path)
    weights = [name for name in before if name.endswith("weight")]
    assert weights
    assert all(torch.equal(before[name], after[name]) for name in weights)
    models.create(TINY.network, **TINY.arguments).load_state_dict(after, strict=True)


def test_a_run_starts_from_nothing_but_its_network(data: ReidImages, tmp_path: Path) -> None:
    attended = train(data, TINY, tmp_path / "attended", "", silent)

    with pytest.raises(ValueError, match="does not fit the network"):
        train(data, replace(TINY, network="resnet18_bnneck", init=str(attended)), tmp_path / "host", "", silent)


def test_a_released_run_is_a_checkpoint_that_loads(data_folder: Path, data: ReidImages, tmp_path: Path) -> None:
    train(data, TINY, tmp_path / "run", "gaitkeeper train reid", silent)
    weights = tmp_path / "weights"
    weights.mkdir()
    draft = draft_checkpoint("reid", "tiny", "research", False, ["drawn people"], "")

    release_reid(tmp_path / "run", draft, [data_folder], [load_test_set(data_folder)], weights)

    checkpoint = read_manifest(weights)["tiny"]
    network = load_network(checkpoint, weights)
    test = load_test_set(data_folder)
    scores = evaluate(network, test.query, test.gallery, flip=True)
    (measured,) = checkpoint.measured.values()
    assert measured["rank_1"] == pytest.approx(scores.rank(1), abs=1e-4)
    assert checkpoint.threshold is not None
    assert (weights / "golden" / "tiny.npy").is_file()


def test_the_threshold_is_passed_by_the_stated_share_of_strangers() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    identities = np.arange(400)

    threshold = fit_threshold(rows, identities, 0.01)

    similarities = (rows @ rows.T)[~np.eye(400, dtype=bool)]
    assert (similarities >= threshold).mean() == pytest.approx(0.01, rel=0.02)


def test_the_rga_rate_follows_the_published_schedule() -> None:
    rates = [rga_learning_rate(epoch) for epoch in (0, 10, 20, 79, 80, 120, 360, 599)]

    assert rates == pytest.approx([8e-6, 4.04e-4, 8e-4, 8e-4, 4e-4, 2e-4, 3.125e-6, 3.125e-6])


def test_training_is_deterministic_by_its_seed(data: ReidImages, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first, second = (load_file(train(data, TINY, tmp_path / name, "", silent)) for name in ("a", "b"))
    finally:
        torch.set_num_threads(threads)

    assert all(torch.equal(first[name], second[name]) for name in first)
