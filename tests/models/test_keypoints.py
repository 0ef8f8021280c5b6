"""Skeletons: orders, mirror pairs and limbs."""

import numpy as np
import pytest

from models.keypoints import COCO_17, LSP_14, MPII_16, SKELETONS, Skeleton, mirror_points

ALL = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


def test_the_skeletons_have_the_sizes_in_their_names() -> None:
    assert {name: len(skeleton) for name, skeleton in SKELETONS.items()} == {"coco17": 17, "mpii16": 16, "lsp14": 14}


def test_mirror_pairs_are_those_of_the_data_sets() -> None:
    assert COCO_17.flip_pairs == tuple((i, i + 1) for i in range(1, 17, 2))
    assert MPII_16.flip_pairs == ((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13))
    assert LSP_14.flip_pairs == ((0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9))


@ALL
def test_mirroring_twice_changes_no_keypoint(skeleton: Skeleton) -> None:
    permutation = np.array(skeleton.flip_permutation)

    assert (permutation[permutation] == np.arange(len(skeleton))).all()


@ALL
def test_limbs_join_all_keypoints_into_one_figure_and_mirror_into_limbs(skeleton: Skeleton) -> None:
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    mirrored = {frozenset(skeleton.flip_permutation[i] for i in limb) for limb in limbs}
    reached = {0}
    for _ in skeleton.keypoints:
        reached |= {i for limb in limbs if limb & reached for i in limb}

    assert len(limbs) == len(skeleton.limbs)
    assert mirrored == limbs
    assert reached == set(range(len(skeleton)))


def test_sigmas_are_coco_s_and_the_same_for_left_and_right() -> None:
    sigmas = np.array(COCO_17.sigmas)

    assert sigmas[[0, 5, 11, 16]].tolist() == [0.026, 0.079, 0.107, 0.089]
    assert (sigmas == sigmas[list(COCO_17.flip_permutation)]).all()


@ALL
def test_a_mirrored_point_moves_to_the_other_side_under_the_other_name(skeleton: Skeleton) -> None:
    points = np.arange(2.0 * len(skeleton)).reshape(-1, 2)
    left, right = skeleton.flip_pairs[0]

    mirrored = mirror_points(points, skeleton, width=50)

    assert mirrored[right].tolist() == [49 - points[left, 0], points[left, 1]]
    assert (mirror_points(mirrored, skeleton, width=50) == points).all()
