"""Pose tables of the papers: keypoints of every given person, found as the network's authors do, and scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint
from models.crops import Image, Region, box_region, mpii_region
from models.heatmaps import merge_mirrored
from models.keypoints import COCO_17, Skeleton
from models.oks import oks_nms, pairwise_oks, pose_scores
from models.pose_systems import FloatArray, Size
from models.transforms import Normalisation, to_tensor
from training.coco_evaluation import CocoScores, coco_keypoint_scores
from training.pose_datasets import PERSON, CocoPersons, MpiiPersons, read_picture
from training.pose_metrics import Pckh, head_sizes, pckh, pckh_bearpaw
from training.pose_recipes import RECIPES, PoseRecipe
from training.progress import watched

Predict = Callable[[Sequence[Path], Region], tuple[FloatArray, FloatArray]]
"""Maps N pictures, with the region of a person in each, to points (N, K, 2) in image pixels counted from 0, and their
scores (N, K)."""

TENTH_OF_A_HEAD = 0.11
"""The threshold behind the published "Mean@0.1"; see `training.pose_metrics.pckh`."""


@dataclass(frozen=True)
class PoseNetwork:
    """A pose network with everything it takes to find keypoints in pictures.

    Attributes:
        network: maps crops (B, 3, *size) to heatmaps (B, K, H, W), or to those of several stacks (B, S, K, H, W).
        recipe: how it is used.
        skeleton: what its K keypoints are.
        size: (height, width) of its crops.
        normalisation: the one it was trained with.
        flip: average with the heatmaps of the mirrored crop.
        batch_size: crops a forward pass.
    """

    network: nn.Module
    recipe: PoseRecipe
    skeleton: Skeleton
    size: Size
    normalisation: Normalisation
    flip: bool = True
    batch_size: int = 32

    @torch.inference_mode()
    def predict(self, paths: Sequence[Path], regions: Region) -> tuple[FloatArray, FloatArray]:
        """Find the keypoints of one person in each picture; see `Predict`."""
        first = self.recipe.first_pixel
        found, scores = [], []
        for start in watched(range(0, len(paths), self.batch_size), "persons"):
            part = slice(start, start + self.batch_size)
            region = Region(regions.center[part] + first, regions.width[part])
            heatmaps = self._heatmaps(paths[part], region)
            points, heights = self.recipe.locate(heatmaps, region, self.size)
            found.append(points - first)
            scores.append(heights.numpy())
        return np.concatenate(found), np.concatenate(scores).astype(np.float64)

    def _heatmaps(self, paths: Sequence[Path], regions: Region) -> Tensor:
        device = next(self.network.parameters()).device
        crops = [
            to_tensor(self.recipe.cut(_picture(path), Region(center, width), self.size))
            for path, center, width in zip(paths, regions.center, regions.width, strict=True)
        ]
        batch = self.normalisation(torch.stack(crops)).to(device, memory_format=torch.channels_last)
        heatmaps = _last_stack(self.network(batch))
        if self.flip:
            mirrored = _last_stack(self.network(batch.flip(3)))
            heatmaps = merge_mirrored(heatmaps, mirrored, self.skeleton.flip_permutation, self.recipe.shift)
        return heatmaps.float().cpu()


def pose_network(checkpoint: Checkpoint, network: nn.Module, skeleton: Skeleton, flip: bool) -> PoseNetwork:
    """Wrap a checkpoint's network, loaded, for data annotated with a skeleton.

    Raises:
        ValueError: the network finds other keypoints, or it is not known how it is used.
    """
    if checkpoint.network not in RECIPES:
        raise ValueError(f"{checkpoint.name} is a {checkpoint.network}; poses are evaluated of {', '.join(RECIPES)}")
    keypoints: int = network.num_keypoints  # type: ignore[assignment]
    if keypoints != len(skeleton):
        raise ValueError(f"{checkpoint.name} finds {keypoints} keypoints, but {skeleton.name} has {len(skeleton)}")
    preprocessing = checkpoint.preprocessing
    return PoseNetwork(
        network, RECIPES[checkpoint.network], skeleton, preprocessing.size, preprocessing.normalisation, flip
    )


def _last_stack(heatmaps: Tensor) -> Tensor:
    return heatmaps[:, -1] if heatmaps.ndim == 5 else heatmaps


@lru_cache(maxsize=4)
def _picture(path: Path) -> Image:
    """Persons of one picture follow each other."""
    return read_picture(path)


def evaluate_coco(data: CocoPersons, predict: Predict, size: Size) -> CocoScores:
    """Find everybody's keypoints and score them as HRNet's evaluation does: poses that repeat a better one are dropped,
    and a pose counts as much as its box and its confident keypoints.

    Args:
        data: persons to find.
        predict: finds 17 keypoints.
        size: (height, width) of the network's crops, to whose shape boxes are widened.
    """
    regions = box_region(data.boxes, size)
    points, scores = predict(data.paths, regions)
    confidence = pose_scores(data.box_scores, scores)
    areas = np.square(regions.width) * size[0] / size[1]
    detections = []
    for image_id in dict.fromkeys(data.image_ids.tolist()):
        here = np.flatnonzero(data.image_ids == image_id)
        similarities = pairwise_oks(points[here], areas[here], COCO_17.sigmas)
        for person in here[oks_nms(similarities, confidence[here])]:
            keypoints = np.column_stack((points[person], scores[person])).ravel().tolist()
            score = float(confidence[person])
            detections.append({"image_id": image_id, "category_id": PERSON, "keypoints": keypoints, "score": score})
    return coco_keypoint_scores(data.ground_truth, detections)


@dataclass(frozen=True)
class MpiiScores:
    """PCKh on MPII by the two rules that published figures follow.

    Attributes:
        hrnet: at half a head, as HRNet counts it.
        hrnet_tenth: the mean that is published as "Mean@0.1".
        bearpaw: at half a head, as bearpaw counts it.
    """

    hrnet: Pckh
    hrnet_tenth: float
    bearpaw: Pckh


def evaluate_mpii(data: MpiiPersons, predict: Predict) -> MpiiScores:
    """Find everybody's 16 keypoints, in the annotated persons' regions, and score them."""
    points, _ = predict(data.paths, mpii_region(data.centers, data.scales))
    answers = (points + 1, data.points, data.visible, head_sizes(data.head_boxes))
    return MpiiScores(pckh(*answers), pckh(*answers, TENTH_OF_A_HEAD).mean, pckh_bearpaw(*answers))
