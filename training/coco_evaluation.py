"""COCO keypoint AP. The only file that imports pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True)
class CocoScores:
    """The ten figures of COCO's keypoint table, as fractions; -1 where no ground truth falls in that group.

    Attributes:
        ap, ar: average precision and recall over OKS 0.50 to 0.95.
        ap50, ap75, ar50, ar75: at one OKS.
        ap_medium, ap_large, ar_medium, ar_large: persons of 32² to 96² pixels, and larger ones.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def coco_keypoint_scores(ground_truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]) -> CocoScores:
    """Score poses with pycocotools.

    Args:
        ground_truth: as in COCO's `person_keypoints_*.json`.
        detections: COCO's result format: image_id, category_id, keypoints (3 K numbers) and score.

    Raises:
        ValueError: there are no detections, or one belongs to an image that is not in the ground truth.
    """
    images = {image["id"] for image in ground_truth["images"]}
    strange = {detection["image_id"] for detection in detections} - images
    if strange or not detections:
        raise ValueError(f"no image {min(strange)} in the ground truth" if strange else "there are no detections")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(ground_truth)
        coco.createIndex()
        results = coco.loadRes([dict(detection) for detection in detections])
        evaluation = COCOeval(coco, results, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return CocoScores(*(float(figure) for figure in evaluation.stats))
