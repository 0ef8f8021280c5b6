"""Skeletons: which keypoint is which, what mirrors into what, and what to join when drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """The keypoints a network answers with, in its order.

    Attributes:
        name: as it stands in answers.
        keypoints: names; a left one and its right one differ only in that word.
        limbs: pairs of indices to join when drawing.
        sigmas: each keypoint's tolerance in OKS; empty where the data set defines none.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def flip_permutation(self) -> tuple[int, ...]:
        """For each keypoint, the index of the one it becomes in a mirrored image."""
        return tuple(self.keypoints.index(_other_side(name)) for name in self.keypoints)

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of indices that a mirrored image exchanges, lower index first."""
        return tuple((i, j) for i, j in enumerate(self.flip_permutation) if i < j)


def mirror_points(points: NDArray[np.floating], skeleton: Skeleton, width: int) -> NDArray[np.floating]:
    """Move keypoints to where they are in the mirrored image; left and right change places.

    Args:
        points: (..., K, 2) x, y; further columns move along unchanged.
        skeleton: says what is left and right.
        width: of the image; pixel 0 becomes pixel `width - 1`.
    """
    mirrored = points[..., list(skeleton.flip_permutation), :].copy()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def _other_side(name: str) -> str:
    side, _, part = name.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    return f"{other}_{part}" if other else name


def _skeleton(name: str, keypoints: str, limbs: str, sigmas: Sequence[float] = ()) -> Skeleton:
    names = tuple(keypoints.split())
    chains = [[names.index(part) for part in chain.split()] for chain in limbs.split(",")]
    pairs = tuple(pair for chain in chains for pair in pairwise(chain))
    return Skeleton(name, names, pairs, tuple(sigmas))


_FACE = "nose left_eye right_eye left_ear right_ear"
_ARMS = "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
_LEGS = "left_hip right_hip left_knee right_knee left_ankle right_ankle"

COCO_17 = _skeleton(
    "coco17",
    f"{_FACE} {_ARMS} {_LEGS}",
    "left_ankle left_knee left_hip right_hip right_knee right_ankle,"
    "left_hip left_shoulder right_shoulder right_hip,"
    "left_shoulder left_elbow left_wrist, right_shoulder right_elbow right_wrist,"
    "right_eye nose left_eye right_eye, left_eye left_ear left_shoulder, right_eye right_ear right_shoulder",
    (
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)

MPII_16 = _skeleton(
    "mpii16",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top"
    " right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    "right_ankle right_knee right_hip pelvis left_hip left_knee left_ankle,"
    "pelvis thorax upper_neck head_top,"
    "right_wrist right_elbow right_shoulder thorax left_shoulder left_elbow left_wrist",
)

LSP_14 = _skeleton(
    "lsp14",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle"
    " right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist neck head_top",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle,"
    "right_wrist right_elbow right_shoulder neck left_shoulder left_elbow left_wrist,"
    "right_hip right_shoulder, left_hip left_shoulder, neck head_top",
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, MPII_16, LSP_14)}
