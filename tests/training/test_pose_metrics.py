"""PCK and PCKh on cases that can be counted by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.pose_metrics import (
    head_sizes,
    heatmap_pck,
    heatmap_pck_bearpaw,
    oks,
    pckh,
    pckh_bearpaw,
    torso_pck,
)


def maps(points: list[tuple[int, int]], size: tuple[int, int] = (40, 20)) -> Tensor:
    """One sample (1, K, *size) with a peak at each (x, y)."""
    heatmaps = torch.zeros(1, len(points), *size)
    for k, (x, y) in enumerate(points):
        heatmaps[0, k, y, x] = 1
    return heatmaps


def test_heatmap_pck_measures_x_by_the_height_and_y_by_the_width() -> None:
    wanted = maps([(10, 10)] * 4)
    found = maps([(11, 10), (12, 10), (10, 10), (10, 11)])  # in tenths of 40 and 20: 0.25, 0.5, 0, 0.5

    pck = heatmap_pck(found, wanted)

    assert pck.per_keypoint.tolist() == [1, 0, 1, 0]
    assert (pck.mean, pck.counted) == (0.5, 4)


def test_heatmap_pck_leaves_out_targets_near_the_corner_and_absent_ones() -> None:
    wanted = maps([(10, 10), (1, 10), (10, 1)])
    absent = torch.zeros(1, 1, 40, 20)

    pck = heatmap_pck(torch.cat((wanted, absent), dim=1), torch.cat((wanted, absent), dim=1))

    assert pck.per_keypoint.isnan().tolist() == [False, True, True, True]
    assert (pck.mean, pck.counted) == (1, 1)
    assert heatmap_pck(absent, absent).mean == 0


def test_bearpaw_counts_from_one_and_watches_some_keypoints() -> None:
    wanted = maps([(1, 1), (10, 10), (0, 5), (10, 10)])
    found = maps([(1, 1), (11, 10), (0, 5), (10, 10)])  # 1 pixel is half of a tenth of the width

    pck = heatmap_pck_bearpaw(found, wanted, keypoints=(0, 1, 2))

    assert pck.per_keypoint.nan_to_num(nan=-1).tolist() == [1, 0, -1]
    assert (pck.mean, pck.counted) == (0.5, 2)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 300, (4, 16, 2))


HEADS = np.full(4, 10.0)


def test_the_head_is_six_tenths_of_its_box_s_diagonal() -> None:
    assert head_sizes(np.array([[10, 10, 40, 50], [0, 0, 3, 4]])).tolist() == [30, 3]


def test_a_keypoint_half_a_head_away_counts_for_hrnet_and_not_for_bearpaw(truth: np.ndarray) -> None:
    everywhere = np.ones((4, 16), bool)
    off = truth.round() + np.array([3.0, 4.0])

    assert pckh(off, truth.round(), everywhere, HEADS).mean == 1
    assert pckh_bearpaw(off, truth.round(), everywhere, HEADS).mean == 0
    assert pckh(off + 0.01, truth.round(), everywhere, HEADS).mean == 0


def test_the_mean_is_over_visible_keypoints_for_hrnet_and_over_keypoints_for_bearpaw(truth: np.ndarray) -> None:
    points, visible = truth.copy(), np.ones((4, 16), bool)
    points[:, 9] += 100  # head tops are all wrong
    visible[1:, 9] = False  # but only one can be seen

    assert pckh(points, truth, visible, HEADS).mean == pytest.approx(52 / 53)
    assert pckh_bearpaw(points, truth, visible, HEADS).mean == pytest.approx(13 / 14)


def test_pelvis_and_thorax_are_not_in_the_mean(truth: np.ndarray) -> None:
    points, visible = truth.copy(), np.ones((4, 16), bool)
    points[:, 6:8] += 100

    scores = pckh(points, truth, visible, HEADS)

    assert scores.mean == 1
    assert scores.per_keypoint[6:8].tolist() == [0, 0]


def test_parts_average_left_and_right(truth: np.ndarray) -> None:
    points, visible = truth.copy(), np.ones((4, 16), bool)
    points[:2, 15] += 100  # left wrist

    parts = pckh(points, truth, visible, HEADS).parts

    assert parts["wrist"] == 0.75
    assert {name: share for name, share in parts.items() if name != "wrist"} == dict.fromkeys(
        ("head", "shoulder", "elbow", "hip", "knee", "ankle"), 1.0
    )


def test_a_keypoint_that_nobody_shows_has_no_share(truth: np.ndarray) -> None:
    visible = np.ones((4, 16), bool)
    visible[:, 9] = False

    for scores in (pckh(truth, truth, visible, HEADS), pckh_bearpaw(truth, truth, visible, HEADS)):
        assert math.isnan(scores.parts["head"])
        assert scores.mean == 1


def test_torso_pck_counts_keypoints_of_persons_with_a_torso_to_exactly_a_fifth() -> None:
    truth = np.array([[[0.0, 0], [0, 10], [5, 5]]] * 3)
    visible = np.array([[True, True, True], [True, True, False], [True, False, True]])
    found = truth + np.array([[[2.0, 0], [2.01, 0], [0, 2]]] * 3)

    pck = torso_pck(found, truth, visible, torso=(0, 1))

    assert pck.counted == 5
    assert pck.mean == pytest.approx(3 / 5)
    assert pck.per_keypoint.tolist() == [1, 0, 1]
    assert torso_pck(found, truth, np.zeros_like(visible), torso=(0, 1)).mean == 0


def test_oks_is_the_mean_over_the_keypoints_that_count() -> None:
    truth = np.zeros((3, 2, 2))
    found = truth + np.array([[3.0, 4.0], [0.0, 0.0]])
    visible = np.array([[True, True], [False, True], [False, False]])

    similarities = oks(found, truth, visible, np.array([100.0, 100, 100]), [0.5, 0.5])

    near = math.exp(-25 / (2 * 100))
    assert similarities[:2] == pytest.approx([(near + 1) / 2, 1])
    assert math.isnan(similarities[2])
