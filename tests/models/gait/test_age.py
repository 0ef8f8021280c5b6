import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import models
from models.backbones.glcnn import GLCNN
from models.checkpoint import Checkpoint, CheckpointError, Interval, Preprocessing
from models.gait.age import age_estimate
from models.predictors.gait import AgeEstimator, age_estimator

CHECKPOINT = Checkpoint(
    name="walker",
    task="gait",
    network="glcnn",
    preprocessing=Preprocessing((64, 44)),
    file="",
    sha256="",
    origin="made for a test",
    licence="none",
    commercial_use=False,
)


def certain(age: int, oldest: int = 20) -> Tensor:
    return torch.where(torch.arange(oldest) < age, 30.0, -30.0)


@pytest.mark.parametrize("age", [0, 7, 20])
def test_certain_answers_give_one_age(age: int) -> None:
    estimate = age_estimate(certain(age), None, None)

    assert estimate.median == age
    assert estimate.mean == pytest.approx(age, abs=1e-6)
    assert estimate.probabilities[age] == pytest.approx(1)
    assert (estimate.interval, estimate.gender) == (None, None)
    assert estimate.reaches_an_end == (age in (0, 20))


def test_probabilities_add_up_however_the_answers_contradict_each_other() -> None:
    torch.manual_seed(0)

    estimate = age_estimate(torch.randn(30) * 3, None, None)

    assert (estimate.probabilities >= 0).all()
    assert estimate.probabilities.sum() == pytest.approx(1)
    assert estimate.mean == pytest.approx(float(estimate.probabilities @ np.arange(31)))


def test_the_interval_has_the_level_and_the_margin_of_the_checkpoint() -> None:
    estimate = age_estimate(certain(10), None, Interval(0.9, 3.0, "somebody"))

    assert estimate.interval is not None
    assert estimate.interval.level == 0.9
    assert estimate.interval.low == pytest.approx(10 - 3.45, abs=0.1)
    assert estimate.interval.high == pytest.approx(10 + 3.45, abs=0.1)


def test_the_gender_is_a_pair_of_probabilities() -> None:
    estimate = age_estimate(certain(3), torch.tensor([0.0, math.log(3)]), None)

    assert estimate.gender == pytest.approx({"female": 0.25, "male": 0.75})


@pytest.mark.parametrize("learnt", [True, False])
def test_a_gender_is_told_only_by_a_checkpoint_that_learnt_it(learnt: bool) -> None:
    network = models.create("glcnn", num_ages=20)
    estimator = age_estimator(replace(CHECKPOINT, gender=learnt), network)

    with torch.inference_mode():
        row = estimator.forward(torch.zeros(1, 1, 64, 44))[0]

    assert (estimator.finish(row).gender is not None) == learnt


def test_a_checkpoint_with_other_outputs_than_two_genders_cannot_claim_to_tell_one() -> None:
    network = models.create("glcnn", num_ages=20, num_genders=3)

    assert age_estimator(CHECKPOINT, network).gender is False
    with pytest.raises(CheckpointError, match="3 outputs for a gender"):
        age_estimator(replace(CHECKPOINT, gender=True), network)


def test_with_flip_a_mirrored_image_gets_the_same_age() -> None:
    torch.manual_seed(1)
    network = models.create("glcnn", num_ages=20)
    assert isinstance(network, GLCNN)
    estimator = AgeEstimator(network, flip=True)
    gei = np.random.default_rng(0).random((128, 88), dtype=np.float32)

    with torch.inference_mode():
        rows = estimator.forward(torch.stack([estimator.prepare(gei), estimator.prepare(gei[:, ::-1].copy())]))

    assert rows.shape == (2, 22)
    torch.testing.assert_close(rows[0], rows[1], atol=1e-5, rtol=1e-4)
    assert estimator.finish(rows[0]).probabilities.shape == (21,)
