"""Object keypoint similarity, and dropping poses that repeat a better one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def pairwise_oks(points: NDArray[np.floating], areas: NDArray[np.floating], sigmas: Sequence[float]) -> FloatArray:
    """OKS of each pose with each other (COCO's definition; the area is the mean of the two).

    Args:
        points: (N, K, 2) in image pixels.
        areas: (N,) of the persons, in square pixels.
        sigmas: (K,), `Skeleton.sigmas`.

    Returns:
        (N, N) in 0..1, symmetric, 1 on the diagonal.
    """
    places = np.asarray(points, np.float64)
    squared = np.square(places[:, None] - places[None]).sum(axis=3)  # (N, N, K)
    variances = np.square(2 * np.asarray(sigmas, np.float64))
    area = (np.asarray(areas, np.float64)[:, None] + areas) / 2 + np.spacing(1)
    return np.asarray(np.exp(-squared / variances / area[..., None] / 2).mean(axis=2), np.float64)


def oks_nms(similarities: FloatArray, scores: NDArray[np.floating], threshold: float = 0.9) -> NDArray[np.int64]:
    """Drop every pose that is more than `threshold` like a better one that is kept.

    Args:
        similarities: (N, N) from `pairwise_oks`.
        scores: (N,), bigger is better; of equal ones the first is better.
        threshold: in OKS; HRNet's evaluation uses 0.9.

    Returns:
        Indices of the poses kept, best first.
    """
    kept: list[int] = []
    order = np.argsort(-np.asarray(scores), kind="stable")
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[similarities[best, rest] <= threshold]
    return np.array(kept, np.int64)


def soft_oks_nms(
    similarities: FloatArray, scores: NDArray[np.floating], threshold: float = 0.9, max_poses: int = 20
) -> NDArray[np.int64]:
    """Order poses so that those like a better one come late: each choice lowers the scores of those like it.

    The factor is exp(-OKS² / threshold) (soft NMS; Bodla et al. 2017).

    Args:
        similarities: (N, N) from `pairwise_oks`.
        scores: (N,), bigger is better.
        threshold: how gently scores fall.
        max_poses: how many are kept at most.

    Returns:
        Indices of the poses kept, best first.
    """
    kept: list[int] = []
    remaining = np.arange(len(scores))
    left = np.asarray(scores, np.float64)
    while remaining.size and len(kept) < max_poses:
        best = int(np.argmax(left))
        kept.append(int(remaining[best]))
        left = np.delete(left * np.exp(-np.square(similarities[kept[-1], remaining]) / threshold), best)
        remaining = np.delete(remaining, best)
    return np.array(kept, np.int64)


def pose_scores(
    box_scores: NDArray[np.floating], keypoint_scores: NDArray[np.floating], threshold: float = 0.2
) -> FloatArray:
    """Score poses as HRNet's COCO evaluation does: the box's score times the mean of the confident keypoints'.

    Args:
        box_scores: (N,) of the detector.
        keypoint_scores: (N, K) heatmap peaks.
        threshold: keypoints above it are confident; a pose without one scores 0.
    """
    confident = np.asarray(keypoint_scores) > threshold
    total = np.where(confident, keypoint_scores, 0).sum(axis=1)
    return np.asarray(box_scores * total / np.maximum(confident.sum(axis=1), 1), np.float64)
