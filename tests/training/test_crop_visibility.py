"""What a gallery's gate refuses, on small data."""

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from models.keypoints import LSP_14
from models.pose_systems import HOURGLASS
from models.predictors.pose import PoseEstimator
from models.transforms import Normalisation
from tests.training.test_detection_datasets import write_penn_fudan
from training.crop_visibility import BOUNDS, empty_places, report


class Light(nn.Module):
    """Heatmaps of light: all keypoints are where the crop is brightest."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4).expand(-1, len(LSP_14), -1, -1)


def test_the_report_tells_which_share_of_each_kind_is_refused() -> None:
    lit = np.zeros((128, 64, 3), np.uint8)
    lit[80:96, 40:56] = 255
    estimator = PoseEstimator(Light(), HOURGLASS, LSP_14, (64, 64), Normalisation((0, 0, 0), (1, 1, 1)))

    head, whole, upper, lower, left, nobody = report(estimator, [lit], {"hall": [np.zeros_like(lit)] * 2})

    assert head.startswith("percent below 0.4")
    for line, count, share in ((whole, 1, 0), (upper, 1, 100), (lower, 1, 0), (left, 1, 100), (nobody, 2, 100)):
        assert [float(number) for number in line[24:].split()] == [count, *[share] * len(BOUNDS)]


def test_empty_places_hold_nobody(tmp_path: Path) -> None:
    write_penn_fudan(tmp_path)

    ((name, crops),) = empty_places(tmp_path).items()

    assert name == tmp_path.name
    assert crops
    assert all(crop.shape[0] // 2 == crop.shape[1] for crop in crops)
