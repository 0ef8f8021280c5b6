"""Boxes of persons in a picture to their keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import Checkpoint, CheckpointError
from models.crops import box_region, transform, warp_fast
from models.heatmaps import merge_mirrored
from models.keypoints import COCO_17, SKELETONS, Skeleton
from models.oks import oks_nms, pairwise_oks, pose_scores
from models.pose_systems import SYSTEMS, PoseSystem, Size
from models.transforms import Normalisation, to_tensor

FloatArray = NDArray[np.float64]

# Keypoints that COCO does not have, as sure as the COCO keypoint nearest to them.
_LIKE = {"pelvis": "left_hip", "head_top": "left_ear"}
_ELSE_LIKE = "left_shoulder"


@dataclass(frozen=True, eq=False)
class Pose:
    """One person.

    Attributes:
        box: (4,) x1, y1, x2, y2 that the person was looked for in.
        score: the box's score times the mean of the confident keypoints'; 0..1, no probability.
        points: (K, 2) x, y in image pixels, whole numbers at their centres; they may lie outside the image.
        scores: (K,) 0..1, how high the peaks are.
    """

    box: FloatArray
    score: float
    points: FloatArray
    scores: FloatArray


class PoseEstimator:
    """Finds the keypoints of persons whose boxes are known.

    Args:
        network: maps normalised crops (B, 3, *size) to heatmaps (B, K, H, W), or to those of several stacks
            (B, S, K, H, W); it is put into evaluation mode.
        system: how crops and heatmaps lie in the picture.
        skeleton: what the K keypoints are.
        size: (height, width) of the crops.
        normalisation: the one the network was trained with.
    """

    def __init__(
        self, network: nn.Module, system: PoseSystem, skeleton: Skeleton, size: Size, normalisation: Normalisation
    ) -> None:
        self.network = network.eval()
        self.system, self.skeleton, self.size, self.normalisation = system, skeleton, size, normalisation

    def prepare(self, image: NDArray[np.uint8], box: NDArray[np.floating]) -> Tensor:
        """Cut out and normalise the person in a box (4,) of an image (H, W, 3): (3, *size) float32.

        What lies outside the image is black.
        """
        matrix = self.system.matrix(box_region(box, self.size), self.size)
        return self.normalisation(to_tensor(warp_fast(image, matrix, self.size)))

    def mirror(self, prepared: Tensor) -> Tensor:
        """The same crop as a mirror shows it, for `finish`."""
        return prepared.flip(2)

    def forward(self, batch: Tensor) -> Tensor:
        """Map prepared crops (B, 3, *size) to heatmaps (B, K, H, W) float32."""
        return heatmaps_of(self.network, batch)

    def finish(
        self,
        heatmaps: Tensor,
        boxes: NDArray[np.floating],
        box_scores: NDArray[np.floating],
        mirrored: Tensor | None = None,
    ) -> list[Pose]:
        """Turn heatmaps into persons, in the order of their boxes.

        Args:
            heatmaps: (N, K, H, W) rows of `forward`, one a box.
            boxes: (N, 4) that the crops were cut from.
            box_scores: (N,) of the detector; 1 for boxes that were given.
            mirrored: (N, K, H, W) rows of the mirrored crops, to average with.
        """
        if mirrored is not None:
            heatmaps = merge_mirrored(heatmaps, mirrored, self.skeleton.flip_permutation, self.system.shift)
        found, heights = self.system.decode(heatmaps, self.size)
        height, width = heatmaps.shape[2:]
        back = self.system.back(box_region(boxes, self.size), (height, width))
        points, scores = transform(found.numpy(), back), heights.clamp(0, 1).double().numpy()
        return [
            Pose(np.asarray(box, np.float64), float(score), person, confidences)
            for box, score, person, confidences in zip(
                boxes, pose_scores(box_scores, scores), points, scores, strict=True
            )
        ]

    def without_repeats(self, poses: Sequence[Pose]) -> list[Pose]:
        """Drop every pose that repeats a better one (OKS above 0.9); the rest, best first."""
        if not poses:
            return []
        boxes = np.stack([pose.box for pose in poses])
        areas = np.square(box_region(boxes, self.size).width) * self.size[0] / self.size[1]
        points = np.stack([pose.points for pose in poses])
        similarities = pairwise_oks(points, areas, _sigmas(self.skeleton))
        return [poses[index] for index in oks_nms(similarities, np.array([pose.score for pose in poses]))]


def heatmaps_of(network: nn.Module, batch: Tensor) -> Tensor:
    """What a pose network makes of normalised crops (B, 3, H, W): its last stack's heatmaps (B, K, h, w) float32."""
    heatmaps: Tensor = network(batch.to(memory_format=torch.channels_last))
    return (heatmaps[:, -1] if heatmaps.ndim == 5 else heatmaps).float()


def pose_estimator(checkpoint: Checkpoint, network: nn.Module) -> PoseEstimator:
    """Wrap a checkpoint's network as it was trained.

    Raises:
        CheckpointError: it is not known how the network is used, or what its keypoints are.
    """
    if checkpoint.network not in SYSTEMS:
        raise CheckpointError(f"{checkpoint.name} is a {checkpoint.network}; poses come from {', '.join(SYSTEMS)}")
    keypoints: int = network.num_keypoints  # type: ignore[assignment]
    skeletons = {len(skeleton): skeleton for skeleton in SKELETONS.values()}
    if keypoints not in skeletons:
        known = ", ".join(f"{count} ({skeleton.name})" for count, skeleton in skeletons.items())
        raise CheckpointError(f"{checkpoint.name} finds {keypoints} keypoints; known are {known}")
    seen = checkpoint.preprocessing
    return PoseEstimator(network, SYSTEMS[checkpoint.network], skeletons[keypoints], seen.size, seen.normalisation)


def _sigmas(skeleton: Skeleton) -> list[float]:
    """Tolerances of all keypoints; COCO defines only its own."""
    known = dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))
    return [known.get(name, known[_LIKE.get(name, _ELSE_LIKE)]) for name in skeleton.keypoints]
