"""Similarity of poses and suppression of repeated ones."""

import math

import numpy as np
import pytest

from models.keypoints import COCO_17
from models.oks import oks_nms, pairwise_oks, pose_scores, soft_oks_nms

SIMILARITIES = np.array([[1, 0.95, 0.2], [0.95, 1, 0.3], [0.2, 0.3, 1]])


def test_oks_is_the_mean_of_the_keypoints_gaussians() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2))
    moved = pose + np.array([3.0, 4.0])

    oks = pairwise_oks(np.stack((pose, moved)), np.array([3000.0, 5000.0]), COCO_17.sigmas)

    expected = np.mean([math.exp(-25 / (2 * sigma) ** 2 / 4000 / 2) for sigma in COCO_17.sigmas])
    assert oks == pytest.approx(np.array([[1, expected], [expected, 1]]))


def test_the_better_of_two_like_poses_stays() -> None:
    assert oks_nms(SIMILARITIES, np.array([0.5, 0.7, 0.1])).tolist() == [1, 2]
    assert oks_nms(SIMILARITIES, np.array([0.5, 0.5, 0.9])).tolist() == [2, 0]


def test_a_pose_exactly_at_the_threshold_stays() -> None:
    assert oks_nms(SIMILARITIES, np.array([0.5, 0.7, 0.1]), threshold=0.95).tolist() == [1, 0, 2]


def test_a_pose_dropped_by_one_does_not_drop_others() -> None:
    chain = np.array([[1, 0.95, 0.1], [0.95, 1, 0.95], [0.1, 0.95, 1]])

    assert oks_nms(chain, np.array([0.9, 0.8, 0.7])).tolist() == [0, 2]


def test_soft_suppression_puts_repeated_poses_last() -> None:
    # 0.7 falls to 0.7 exp(-0.95² / 0.9) = 0.26 beside the best pose, 0.3 only to 0.3 exp(-0.2² / 0.9) = 0.29.
    assert soft_oks_nms(SIMILARITIES, np.array([0.9, 0.7, 0.3])).tolist() == [0, 2, 1]
    assert soft_oks_nms(SIMILARITIES, np.array([0.9, 0.7, 0.3]), max_poses=2).tolist() == [0, 2]


def test_no_poses_stay_of_none() -> None:
    none = pairwise_oks(np.zeros((0, 17, 2)), np.zeros(0), COCO_17.sigmas)

    assert oks_nms(none, np.zeros(0)).tolist() == []
    assert soft_oks_nms(none, np.zeros(0)).tolist() == []


def test_a_pose_scores_its_box_times_its_confident_keypoints() -> None:
    scores = pose_scores(np.array([0.5, 0.8]), np.array([[0.9, 0.2, 0.5], [0.1, 0.0, 0.2]]))

    assert scores == pytest.approx([0.5 * 0.7, 0])
