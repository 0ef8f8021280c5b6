"""Scores of networks with Leeds Sports Pose's keypoints, with finders whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.crops import Image, box_region
from models.keypoints import COCO_17, LSP_14
from models.pose_systems import HOURGLASS
from models.predictors.pose import PoseEstimator
from models.transforms import Normalisation
from tests.training.layouts import SKELETON, write_coco, write_lsp
from training.lsp_datasets import LspPersons, load_lsp
from training.lsp_evaluation import COMMON, Find, evaluate_common, evaluate_lsp, finder
from training.pose_crops import keypoint_region
from training.pose_datasets import CocoKeypoints, annotated_keypoints, load_coco

FloatArray = NDArray[np.float64]


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> LspPersons:
    return load_lsp(write_lsp(tmp_path_factory.mktemp("lsp")))


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> CocoKeypoints:
    return annotated_keypoints(load_coco(write_coco(tmp_path_factory.mktemp("coco"))))


def answering(points: FloatArray) -> Find:
    return lambda images, boxes: points


def test_true_keypoints_score_one_in_both_parts(persons: LspPersons) -> None:
    rows = evaluate_lsp(persons, answering(persons.points))

    assert rows == {
        "upright": {"persons": 3, "PCK@0.2": 1, "PCK@0.2, limbs": 1},
        "others": {"persons": 3, "PCK@0.2": 1, "PCK@0.2, limbs": 1},
    }


def test_a_keypoint_counts_up_to_a_fifth_of_the_torso(persons: LspPersons) -> None:
    fifth = 0.2 * np.hypot(14, 22)  # left shoulder (42, 20) to right hip (28, 42)

    near = evaluate_lsp(persons, answering(persons.points + np.array([fifth * 0.99, 0])))
    far = evaluate_lsp(persons, answering(persons.points + np.array([fifth * 1.01, 0])))

    assert near["upright"]["PCK@0.2"] == 1
    assert far["upright"]["PCK@0.2"] == 0


def test_hidden_keypoints_and_the_head_are_left_out_where_they_should_be(persons: LspPersons) -> None:
    answers = persons.points.copy()
    answers[:, [6, 13]] += 100  # right wrist, hidden in every second picture, and head

    rows = evaluate_lsp(persons, answering(answers))

    assert rows["upright"]["PCK@0.2"] == pytest.approx(12 / 14)
    assert rows["others"]["PCK@0.2"] == pytest.approx(12 / 13)
    assert rows["others"]["PCK@0.2, limbs"] == 1


def test_persons_without_a_visible_torso_are_not_scored(persons: LspPersons) -> None:
    visible = persons.visible.copy()
    visible[::2, LSP_14.keypoints.index("right_hip")] = False

    rows = evaluate_lsp(replace(persons, visible=visible), answering(persons.points))

    assert list(rows) == ["others"]


def test_a_network_sees_the_crop_of_the_protocol(persons: LspPersons) -> None:
    seen: list[FloatArray] = []

    def find(images: Sequence[Image], boxes: FloatArray) -> FloatArray:
        seen.append(boxes)
        return persons.points

    evaluate_lsp(persons, find)

    region, wanted = box_region(seen[0][0], (128, 128)), keypoint_region(persons.points[0], persons.visible[0])
    assert region.center.tolist() == pytest.approx(wanted.center.tolist())
    assert float(region.width) == pytest.approx(float(wanted.width))


def lsp_points(points: FloatArray) -> FloatArray:
    """Keypoints of COCO in the order of Leeds Sports Pose; neck and head are nowhere near."""
    found = np.full((len(points), 14, 2), 9999.0)
    for name in COMMON:
        found[:, LSP_14.keypoints.index(name)] = points[:, COCO_17.keypoints.index(name)]
    return found


def test_true_common_keypoints_have_an_oks_of_one(coco: CocoKeypoints) -> None:
    assert len(COMMON) == 12
    assert evaluate_common(coco, answering(lsp_points(coco.points))) == {
        "12 common keypoints": {"persons": 2, "OKS": 1, "OKS > 0.5": 1}
    }


def test_oks_falls_with_the_distance_as_coco_defines(coco: CocoKeypoints) -> None:
    moved = 4.0

    row = evaluate_common(coco, answering(lsp_points(coco.points + np.array([moved, 0]))))["12 common keypoints"]

    sigmas = np.array([COCO_17.sigmas[COCO_17.keypoints.index(name)] for name in COMMON])
    expected = np.exp(-(moved**2) / (2 * 0.6 * 70 * 100 * (2 * sigmas) ** 2)).mean()
    assert row["OKS"] == pytest.approx(expected)


def test_crowds_and_persons_with_few_keypoints_are_not_scored(coco: CocoKeypoints, tmp_path: Path) -> None:
    assert coco.points.tolist() == (SKELETON + np.array([[[0, 10]], [[60, 10]]])).tolist()
    assert coco.boxes[0].tolist() == [30, 30, 100, 130]
    with pytest.raises(ValueError, match="nobody has 18 annotated keypoints"):
        annotated_keypoints(load_coco(write_coco(tmp_path)), least=18)


class Peak(nn.Module):
    """Heatmaps of light: all keypoints are where the crop is brightest."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4).expand(-1, 14, -1, -1)


@pytest.mark.parametrize("flip", [False, True])
def test_points_come_back_to_where_they_are_in_the_picture(flip: bool) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[58:66, 98:106] = 255
    estimator = PoseEstimator(Peak(), HOURGLASS, LSP_14, (64, 64), Normalisation((0, 0, 0), (1, 1, 1)))
    boxes = np.array([[70.0, 30, 120, 90], [80, 40, 130, 80], [60, 20, 120, 100]])

    points = finder(estimator, flip, batch_size=2)([image] * 3, boxes)

    assert points.shape == (3, 14, 2)
    assert np.abs(points - [101.5, 61.5]).max() < 3


def test_a_network_of_another_skeleton_is_refused() -> None:
    estimator = PoseEstimator(Peak(), HOURGLASS, COCO_17, (64, 64), Normalisation())

    with pytest.raises(ValueError, match="finds coco17, but this table is for lsp14"):
        finder(estimator, flip=False)


@pytest.mark.shared
def test_the_parts_of_the_public_set_have_the_sizes_its_description_says(shared: Path) -> None:
    data = load_lsp(shared / "data" / "lspet")

    rows = evaluate_lsp(data, answering(data.points))

    assert {name: row["persons"] for name, row in rows.items()} == {"upright": 800, "others": 284}
    assert all(row["PCK@0.2"] == 1 for row in rows.values())


@pytest.mark.shared
def test_the_small_coco_set_has_as_many_persons_with_ten_keypoints_as_its_description_says(shared: Path) -> None:
    assert len(annotated_keypoints(load_coco(shared / "data" / "coco-keypoints-mini")).paths) == 99
