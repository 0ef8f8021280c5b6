"""How poses are scored: PCK on heatmaps while training, PCKh on MPII."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.heatmaps import peaks, positive_peaks

FloatArray = NDArray[np.float64]

HEAD_SEGMENT = 0.6
"""What MPII takes of the head box's diagonal as the length of the head."""

PELVIS_AND_THORAX = (6, 7)
"""Keypoints of MPII that its score leaves out."""

BEARPAW_KEYPOINTS = (0, 1, 2, 3, 4, 5, 10, 11, 14, 15)
"""Keypoints of MPII that bearpaw watches while training: legs, elbows and wrists."""

_PARTS = {
    "head": (9,),
    "shoulder": (12, 13),
    "elbow": (11, 14),
    "wrist": (10, 15),
    "hip": (2, 3),
    "knee": (1, 4),
    "ankle": (0, 5),
}


@dataclass(frozen=True)
class Pck:
    """Share of keypoints that were found.

    Attributes:
        per_keypoint: (K,) fractions; NaN where no sample shows the keypoint.
        mean: of those that are not NaN; 0 where all are.
        counted: how many are not NaN.
    """

    per_keypoint: Tensor
    mean: float
    counted: int


def heatmap_pck(heatmaps: Tensor, targets: Tensor, threshold: float = 0.5) -> Pck:
    """PCK between the peaks of two sets of heatmaps (B, K, H, W), as HRNet logs it while training.

    A tenth of the map's side is one unit of distance. As in the reference, x is measured by the height and y by the
    width, which matters where they differ, and targets in the first two rows or columns are not counted.
    """
    found, wanted = positive_peaks(heatmaps)[0], positive_peaks(targets)[0]
    height, width = heatmaps.shape[2:]
    return _pck(found, wanted, wanted.new_tensor([height, width]) / 10, threshold)


def heatmap_pck_bearpaw(
    heatmaps: Tensor, targets: Tensor, keypoints: tuple[int, ...] = BEARPAW_KEYPOINTS, threshold: float = 0.5
) -> Pck:
    """PCK between the peaks of two sets of heatmaps (B, K, H, W), as bearpaw logs it.

    A tenth of the width is one unit; targets in the first row or column are not counted; some keypoints are not either.
    """
    found, wanted = (_counted_from_one(maps[:, list(keypoints)]) for maps in (heatmaps, targets))
    return _pck(found, wanted, wanted.new_tensor(heatmaps.shape[3] / 10), threshold)


def _counted_from_one(heatmaps: Tensor) -> Tensor:
    points, scores = peaks(heatmaps)
    return (points + 1) * (scores > 0)[..., None]


def _pck(found: Tensor, wanted: Tensor, unit: Tensor, threshold: float) -> Pck:
    counts = (wanted > 1).all(dim=2)
    distance = torch.linalg.vector_norm((found - wanted) / unit, dim=2)
    per_keypoint = ((distance < threshold) & counts).sum(dim=0) / counts.sum(dim=0)
    known = per_keypoint[~per_keypoint.isnan()]
    return Pck(per_keypoint, float(known.mean()) if len(known) else 0.0, len(known))


@dataclass(frozen=True)
class Pckh:
    """PCKh on MPII, as fractions.

    Attributes:
        per_keypoint: (16,) in MPII's order; NaN where no sample shows the keypoint.
        parts: mean of left and right: head, shoulder, elbow, wrist, hip, knee, ankle.
        mean: over all keypoints but pelvis and thorax.
    """

    per_keypoint: FloatArray
    parts: dict[str, float]
    mean: float


def head_sizes(head_boxes: NDArray[np.floating]) -> FloatArray:
    """MPII's unit of length for each person: 0.6 of the diagonal of the head box (N, 4) x1, y1, x2, y2."""
    extent = np.asarray(head_boxes[:, 2:] - head_boxes[:, :2], np.float64)
    return HEAD_SEGMENT * np.hypot(extent[:, 0], extent[:, 1])


def pckh(
    points: NDArray[np.floating],
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    heads: FloatArray,
    threshold: float = 0.5,
) -> Pckh:
    """PCKh as HRNet's evaluation counts it: at most `threshold` heads away; the mean is over visible keypoints.

    The published "Mean@0.1" is the mean at 0.11, the twelfth step of a grid that begins at 0.

    Args:
        points, truth: (N, 16, 2) in image pixels, both counted from the same pixel.
        visible: (N, 16).
        heads: (N,) from `head_sizes`.
        threshold: in heads.
    """
    shares = _shares(_distances(points, truth, heads) <= threshold, visible)
    counted = np.delete(np.arange(len(shares)), PELVIS_AND_THORAX)
    weights = visible.sum(axis=0)[counted]
    mean = float(np.nansum(shares[counted] * weights) / weights.sum())
    return Pckh(shares, _parts(shares), mean)


def pckh_bearpaw(
    points: NDArray[np.floating],
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    heads: FloatArray,
    threshold: float = 0.5,
) -> Pckh:
    """PCKh as bearpaw counts it: less than `threshold` heads away; every keypoint weighs the same in the mean.

    The arguments are those of `pckh`.
    """
    shares = _shares(_distances(points, truth, heads) < threshold, visible)
    return Pckh(shares, _parts(shares), float(np.nanmean(np.delete(shares, PELVIS_AND_THORAX))))


def torso_pck(
    points: NDArray[np.floating],
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    torso: tuple[int, int],
    threshold: float = 0.2,
) -> Pck:
    """PCK in torsos, on persons whose torso is visible (Yang and Ramanan 2013).

    Args:
        points, truth: (N, K, 2) in image pixels.
        visible: (N, K).
        torso: the keypoints at its ends, such as left shoulder and right hip.
        threshold: in torsos.

    Returns:
        `mean` is over all visible keypoints alike, `counted` how many those are.
    """
    counts = visible & visible[:, list(torso)].all(axis=1, keepdims=True)
    length = np.linalg.norm(truth[:, torso[0]] - truth[:, torso[1]], axis=1)
    found = np.linalg.norm(points - truth, axis=2) <= threshold * length[:, None]
    mean = float(found[counts].mean()) if counts.any() else 0.0
    return Pck(torch.from_numpy(_shares(found, counts)), mean, int(counts.sum()))


def oks(
    points: NDArray[np.floating],
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    areas: NDArray[np.floating],
    sigmas: Sequence[float],
) -> FloatArray:
    """Object keypoint similarity of each found pose with its true one (COCO's definition).

    Args:
        points, truth: (N, K, 2) in image pixels.
        visible: (N, K) which keypoints count.
        areas: (N,) of the persons, in square pixels.
        sigmas: (K,) tolerances.

    Returns:
        (N,) in 0..1; NaN where no keypoint counts.
    """
    squared = np.square(points - truth).sum(axis=2)
    variances = np.square(2 * np.asarray(sigmas, np.float64))
    similar = np.exp(-squared / variances / (2 * np.asarray(areas, np.float64)[:, None]))
    counts = visible.sum(axis=1)
    means = np.full(len(counts), np.nan)
    np.divide((similar * visible).sum(axis=1), counts, out=means, where=counts > 0)
    return means


def _distances(points: NDArray[np.floating], truth: NDArray[np.floating], heads: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(points - truth, axis=2) / heads[:, None], np.float64)


def _shares(found: NDArray[np.bool_], visible: NDArray[np.bool_]) -> FloatArray:
    counts = visible.sum(axis=0)
    shares = np.full(len(counts), np.nan)
    np.divide((found & visible).sum(axis=0), counts, out=shares, where=counts > 0)
    return shares


def _parts(shares: FloatArray) -> dict[str, float]:
    return {name: float(np.mean(shares[list(indices)])) for name, indices in _PARTS.items()}
