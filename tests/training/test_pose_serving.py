from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import Tensor, nn

from models.keypoints import LSP_14
from models.pose_systems import HOURGLASS
from models.predictors.pose import PoseEstimator
from models.transforms import Normalisation
from training.pose_datasets import CocoKeypoints
from training.pose_serving import report, widened

SPOT = np.array([101.5, 61.5])


class Peak(nn.Module):
    """Heatmaps of light: all keypoints are where the crop is brightest."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4).expand(-1, len(LSP_14), -1, -1)


@pytest.fixture
def people(tmp_path: Path) -> CocoKeypoints:
    """Two boxes around one bright spot, where every keypoint is annotated; the second misses it by 60 pixels."""
    image = np.zeros((120, 200, 3), np.uint8)
    image[56:68, 96:108] = 255
    cv2.imwrite(str(tmp_path / "a.png"), image)
    points = np.stack([np.tile(SPOT, (17, 1)), np.tile(SPOT + np.array([60, 0]), (17, 1))])
    boxes = np.array([[60.0, 20, 140, 100], [50.0, 20, 130, 100]])
    return CocoKeypoints("two", [tmp_path / "a.png"] * 2, boxes, np.full(2, 4000.0), points, np.ones((2, 17), bool))


def test_the_report_scores_what_is_served_and_each_other_choice(people: CocoKeypoints) -> None:
    served = PoseEstimator(Peak(), HOURGLASS, LSP_14, (64, 64), Normalisation((0, 0, 0), (1, 1, 1)))

    lines = list(report(served, people))

    # One of the two is found, the other is far off.
    assert lines[0].startswith(("as served: mean OKS 50", "as served: mean OKS 49"))
    changes = ("margin 1.05", "margin 1.15", "margin 1.35", "margin 1.5 ", "DARK", "quarter", "exact")
    assert all(line.startswith(name) for line, name in zip(lines[1:8], changes, strict=True))
    assert lines[-1] == "scores 0.7 to 1.0: 50 % of 24 right"


def test_a_widened_box_keeps_its_center() -> None:
    assert widened(np.array([[10.0, 20, 30, 60]]), 1.5).tolist() == [[5, 10, 35, 70]]
