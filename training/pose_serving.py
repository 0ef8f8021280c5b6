"""What the choices of the service do to its keypoints: crop margin, decoder, fast crop, and how far scores are right.

`python -m training.pose_serving DATA [MODEL]` measures a network with the keypoints of Leeds Sports Pose on people of
COCO whose boxes are given, with the mirrored crop.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import load_network
from models.crops import Image, box_region, warp
from models.heatmaps import decode_dark, decode_hrnet
from models.keypoints import COCO_17, LSP_14
from models.manifest import find_checkpoint
from models.pose_systems import PoseSystem, Size
from models.predictors.pose import PoseEstimator, pose_estimator
from models.transforms import to_tensor
from training.lsp_evaluation import BOX_MARGIN, COMMON
from training.pose_datasets import CocoKeypoints, annotated_keypoints, load_coco, read_picture
from training.pose_metrics import oks

FloatArray = NDArray[np.float64]

MODEL = "hourglass-lspet-compact"
MARGINS = (1.05, 1.15, 1.25, 1.35, 1.5)
SCORES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.01)
RIGHT = 0.5
"""A keypoint is right from this similarity on."""

SIGMAS = [COCO_17.sigmas[COCO_17.keypoints.index(name)] for name in COMMON]
ANNOTATED = [COCO_17.keypoints.index(name) for name in COMMON]
FOUND = [LSP_14.keypoints.index(name) for name in COMMON]


class ExactCrops(PoseEstimator):
    """Cuts crops at exact places, as evaluations of papers do."""

    def prepare(self, image: Image, box: NDArray[np.floating]) -> Tensor:
        """As `PoseEstimator.prepare`, slowly."""
        matrix = self.system.matrix(box_region(box, self.size), self.size)
        return self.normalisation(to_tensor(warp(image, matrix, self.size)))


def report(served: PoseEstimator, data: CocoKeypoints) -> Iterator[str]:
    """Yield the lines of the report."""
    images = [read_picture(path) for path in data.paths]
    points, scores = find(served, images, data.boxes)
    base = similarities(points, data)
    yield f"as served: mean OKS {100 * float(np.nanmean(base)):.1f}; difference and its standard error:"
    for margin in MARGINS:
        if margin != BOX_MARGIN:
            found, _ = find(served, images, widened(data.boxes, margin / BOX_MARGIN))
            yield _difference(f"margin {margin}", similarities(found, data), base)
    for name, system in _decoders(served.system).items():
        found, _ = find(_like(PoseEstimator, served, system), images, data.boxes)
        yield _difference(name, similarities(found, data), base)
    exact, _ = find(_like(ExactCrops, served, served.system), images, data.boxes)
    yield _difference("exact crop", similarities(exact, data), base)
    moved = np.linalg.norm(exact - points, axis=2)[scores >= SCORES[0]]
    quantiles = ", ".join(f"{share} % under {np.percentile(moved, share):.2f}" for share in (50, 90, 99))
    yield f"pixels that keypoints of {SCORES[0]} or more move by it: {quantiles}"
    yield from _calibration(points, scores, data)


@torch.inference_mode()
def find(estimator: PoseEstimator, images: Sequence[Image], boxes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points (N, 12, 2) in pictures and scores (N, 12) of the keypoints in `COMMON`, one person a picture."""
    poses = []
    for image, box in zip(images, boxes, strict=True):
        crop = estimator.prepare(image, box)
        rows = estimator.forward(torch.stack((crop, estimator.mirror(crop))))
        poses += estimator.finish(rows[:1], box[None], np.ones(1), rows[1:])
    points, scores = np.stack([pose.points for pose in poses]), np.stack([pose.scores for pose in poses])
    return points[:, FOUND], scores[:, FOUND]


def widened(boxes: FloatArray, factor: float) -> FloatArray:
    """Boxes (N, 4) with the same centres, both sides `factor` times as long."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) * factor / 2
    return np.concatenate((center - half, center + half), axis=1)


def similarities(points: FloatArray, data: CocoKeypoints) -> FloatArray:
    """OKS (N,) of points (N, 12, 2) over what is annotated of them; nan where nothing is."""
    return oks(points, data.points[:, ANNOTATED], data.visible[:, ANNOTATED], data.areas, SIGMAS)


def _decoders(system: PoseSystem) -> dict[str, PoseSystem]:
    def wide(heatmaps: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return decode_dark(heatmaps, sigma=1.25)

    def quarter(heatmaps: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return decode_hrnet(heatmaps)

    return {"DARK, sigma 1.25": replace(system, decode=wide), "quarter shift": replace(system, decode=quarter)}


def _like(kind: type[PoseEstimator], served: PoseEstimator, system: PoseSystem) -> PoseEstimator:
    return kind(served.network, system, served.skeleton, served.size, served.normalisation)


def _difference(name: str, changed: FloatArray, base: FloatArray) -> str:
    gain = (changed - base)[~np.isnan(base)]
    error = gain.std() / np.sqrt(len(gain))
    return f"{name:18}{100 * float(np.nanmean(changed)):6.1f}{100 * gain.mean():+6.1f}{100 * error:5.1f}"


def _calibration(points: FloatArray, scores: FloatArray, data: CocoKeypoints) -> Iterator[str]:
    single = np.stack(
        [
            oks(points[:, [k]], data.points[:, [ANNOTATED[k]]], data.visible[:, [ANNOTATED[k]]], data.areas, [sigma])
            for k, sigma in enumerate(SIGMAS)
        ],
        axis=1,
    )
    for low, high in pairwise(SCORES):
        chosen = (scores >= low) & (scores < high) & ~np.isnan(single)
        yield f"scores {low:.1f} to {min(high, 1.0):.1f}: {_right(single[chosen])}"


def _right(single: FloatArray) -> str:
    return f"{100 * float((single >= RIGHT).mean()):.0f} % of {len(single)} right" if len(single) else "none"


def main() -> None:
    """Print the report for a folder in COCO's layout."""
    arguments = dict(enumerate(sys.argv))
    weights = Path("weights")
    checkpoint = find_checkpoint(arguments.get(2, MODEL), weights)
    served = pose_estimator(checkpoint, load_network(checkpoint, weights))
    for line in report(served, annotated_keypoints(load_coco(Path(arguments[1])))):
        print(line, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
