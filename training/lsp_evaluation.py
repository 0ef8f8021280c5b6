"""How networks with the keypoints of Leeds Sports Pose are scored: PCK there, OKS of the shared keypoints on COCO."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.crops import Image
from models.keypoints import COCO_17, LSP_14
from models.predictors.pose import PoseEstimator
from training.lsp_datasets import LspPersons
from training.pose_crops import keypoint_region
from training.pose_datasets import CocoKeypoints, read_picture
from training.pose_metrics import oks, torso_pck
from training.progress import watched

FloatArray = NDArray[np.float64]
Find = Callable[[Sequence[Image], FloatArray], FloatArray]
"""Maps N pictures (H, W, 3), with the box (4,) of a person in each, to points (N, 14, 2) in image pixels."""

TORSO = (LSP_14.keypoints.index("left_shoulder"), LSP_14.keypoints.index("right_hip"))
COMMON = tuple(name for name in LSP_14.keypoints if name in COCO_17.keypoints)
"""Shoulders, elbows, wrists, hips, knees and ankles."""

BOX_MARGIN = 1.25
"""How much wider than a box its crop is; see `models.crops.box_region`."""


def finder(estimator: PoseEstimator, flip: bool, batch_size: int = 32) -> Find:
    """What a pose network finds, as the service would answer.

    Args:
        estimator: of a network with 14 keypoints.
        flip: average with the heatmaps of the mirrored crop.
        batch_size: crops a forward pass.

    Raises:
        ValueError: the network has other keypoints.
    """
    if estimator.skeleton != LSP_14:
        raise ValueError(f"the network finds {estimator.skeleton.name}, but this table is for {LSP_14.name}")

    def find(images: Sequence[Image], boxes: FloatArray) -> FloatArray:
        found = []
        for start in watched(range(0, len(images), batch_size), "persons"):
            part = slice(start, start + batch_size)
            found += _find(estimator, images[part], boxes[part], flip)
        return np.stack(found)

    return find


@torch.inference_mode()
def _find(estimator: PoseEstimator, images: Sequence[Image], boxes: FloatArray, flip: bool) -> list[FloatArray]:
    device = next(estimator.network.parameters()).device
    crops = torch.stack([estimator.prepare(image, box) for image, box in zip(images, boxes, strict=True)])
    heatmaps = estimator.forward(crops.to(device)).cpu()
    mirrored = estimator.forward(crops.flip(3).to(device)).cpu() if flip else None
    return [pose.points for pose in estimator.finish(heatmaps, boxes, np.ones(len(boxes)), mirrored)]


def evaluate_lsp(data: LspPersons, find: Find) -> dict[str, dict[str, float]]:
    """PCK@0.2 in torsos (left shoulder to right hip) of upright persons, and of all others whose torso is visible.

    Crops are squares around the visible keypoints, a quarter of the box's longer side wider on each side.

    Returns:
        For each part of the data: `persons`, `PCK@0.2` of all 14 keypoints, and `PCK@0.2, limbs` of the 12 that COCO
        has too. A part without persons is left out.
    """
    points = find(
        data.images, np.stack([person_box(*person) for person in zip(data.points, data.visible, strict=True)])
    )
    limbs = np.isin(LSP_14.keypoints, COMMON)
    rows: dict[str, dict[str, float]] = {}
    for name, part in {"upright": data.upright, "others": ~data.upright}.items():
        part = part & data.visible[:, TORSO].all(axis=1)
        if not part.any():
            continue
        found, truth, visible = points[part], data.points[part], data.visible[part]
        rows[name] = {
            "persons": int(part.sum()),
            "PCK@0.2": torso_pck(found, truth, visible, TORSO).mean,
            "PCK@0.2, limbs": torso_pck(found, truth, visible & limbs, TORSO).mean,
        }
    return rows


def person_box(points: FloatArray, visible: NDArray[np.bool_]) -> FloatArray:
    """The square box (4,) of keypoints (14, 2), some visible (14,), whose crop is that of `keypoint_region`."""
    region = keypoint_region(points, visible)
    half = region.width / BOX_MARGIN / 2
    return np.concatenate((region.center - half, region.center + half))


def evaluate_common(data: CocoKeypoints, find: Find) -> dict[str, dict[str, float]]:
    """Mean OKS of the 12 keypoints that COCO and Leeds Sports Pose share, on persons whose boxes are given.

    The OKS of a person is over those of the 12 that are annotated, with COCO's tolerances and annotated area.

    Returns:
        One row: `persons`, `OKS`, and `OKS > 0.5`, the share of persons above.
    """
    here = [COCO_17.keypoints.index(name) for name in COMMON]
    there = [LSP_14.keypoints.index(name) for name in COMMON]
    found = find([read_picture(path) for path in data.paths], data.boxes)[:, there]
    sigmas = [COCO_17.sigmas[index] for index in here]
    similarities = oks(found, data.points[:, here], data.visible[:, here], data.areas, sigmas)
    known = similarities[~np.isnan(similarities)]
    figures = {"persons": len(known), "OKS": float(known.mean()), "OKS > 0.5": float((known > 0.5).mean())}
    return {f"{len(COMMON)} common keypoints": figures}
