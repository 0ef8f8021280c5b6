"""From boxes in a picture to keypoints in its pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import models
from models.checkpoint import Checkpoint, CheckpointError, Preprocessing
from models.crops import warp
from models.keypoints import COCO_17, LSP_14, MPII_16, SKELETONS, Skeleton
from models.pose_systems import HOURGLASS, HRNET, PoseSystem
from models.predictors import pose as predictor
from models.predictors.pose import Pose, PoseEstimator, pose_estimator
from models.transforms import Normalisation

SIZE = (128, 96)
PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SYSTEMS = pytest.mark.parametrize("system", [HRNET, HOURGLASS], ids=["hrnet", "hourglass"])
BOXES = np.array([[60.0, 40.0, 160.0, 180.0], [20.5, 10.2, 120.9, 199.0], [50.0, 20.0, 290.0, 210.0]])
LEFT, RIGHT = np.array([105.3, 90.6]), np.array([95.7, 140.2])


class Colours(nn.Module):
    """A network that finds a left wrist where the picture is red, a right one where it is green, and nothing else."""

    def __init__(self, skeleton: Skeleton, system: PoseSystem, stacks: int = 0) -> None:
        super().__init__()
        self.stacks = stacks
        # HRNet's heatmap pixel i stands for pixel 4 i of the crop, an hourglass's for 4 i to 4 i + 3.
        self.shrink = nn.AvgPool2d(4) if system.corners else nn.AvgPool2d(5, 4, padding=2)
        self.channels = [{"left_wrist": 0, "right_wrist": 1}.get(name, 2) for name in skeleton.keypoints]

    def forward(self, images: Tensor) -> Tensor:
        heatmaps = self.shrink(images)[:, self.channels]
        return (
            torch.stack([torch.zeros_like(heatmaps)] * (self.stacks - 1) + [heatmaps], 1) if self.stacks else heatmaps
        )


def dots(red: NDArray[np.float64] = LEFT, green: NDArray[np.float64] = RIGHT) -> NDArray[np.uint8]:
    """A dark picture with a soft red dot and a soft green one; the places are x, y."""
    y, x = np.mgrid[0:240, 0:320].astype(np.float64)
    image = np.zeros((240, 320, 3))
    for channel, (px, py) in enumerate((red, green)):
        image[:, :, channel] = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 2 / 12**2)
    return np.round(image).astype(np.uint8)


def estimator(system: PoseSystem, skeleton: Skeleton = COCO_17, stacks: int = 0) -> PoseEstimator:
    return PoseEstimator(Colours(skeleton, system, stacks), system, skeleton, SIZE, PLAIN)


def found(finder: PoseEstimator, image: NDArray[np.uint8], boxes: NDArray[np.float64], flip: bool) -> list[Pose]:
    crops = torch.stack([finder.prepare(image, box) for box in boxes])
    mirrored = finder.forward(torch.stack([finder.mirror(crop) for crop in crops])) if flip else None
    return finder.finish(finder.forward(crops), boxes, np.ones(len(boxes)), mirrored)


def wrists(poses: Sequence[Pose], skeleton: Skeleton) -> NDArray[np.float64]:
    columns = [skeleton.keypoints.index(name) for name in ("left_wrist", "right_wrist")]
    return np.stack([pose.points[columns] for pose in poses])


@SYSTEMS
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("stacks", [0, 2])
def test_points_come_back_to_where_they_are_in_the_picture(system: PoseSystem, skeleton: Skeleton, stacks: int) -> None:
    poses = found(estimator(system, skeleton, stacks), dots(), BOXES, flip=False)

    # A heatmap's pixel is up to 13 pixels of the picture here.
    assert np.abs(wrists(poses, skeleton) - [LEFT, RIGHT]).max() < 0.6
    assert all(pose.scores.shape == (len(skeleton),) and pose.scores.min() >= 0 for pose in poses)
    assert all(np.array_equal(pose.box, box) for pose, box in zip(poses, BOXES, strict=True))


@SYSTEMS
def test_the_mirrored_pass_takes_left_for_right(system: PoseSystem) -> None:
    # The network tells sides by colour, which no mirror changes; with both in one place no side is wrong.
    image = dots(LEFT, LEFT)

    plain = wrists(found(estimator(system), image, BOXES, flip=False), COCO_17)
    merged = wrists(found(estimator(system), image, BOXES, flip=True), COCO_17)

    # HRNet's mirrored samples lie a pixel of the crop beside the plain ones, up to 3.2 in the picture.
    assert np.abs(merged - plain).max() < (1.7 if system is HRNET else 0.3)


@SYSTEMS
def test_the_fast_crop_keeps_keypoints_within_a_tenth_of_a_pixel(
    system: PoseSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = wrists(found(estimator(system), dots(), BOXES, flip=False), COCO_17)
    monkeypatch.setattr(predictor, "warp_fast", warp)
    exact = wrists(found(estimator(system), dots(), BOXES, flip=False), COCO_17)

    assert np.abs(fast - exact).max() < 0.1


@SYSTEMS
def test_what_lies_outside_the_picture_is_black_to_the_network(system: PoseSystem) -> None:
    crop = estimator(system).prepare(np.full((40, 40, 3), 255, np.uint8), np.array([-60.0, -60.0, 40.0, 40.0]))

    assert crop.shape == (3, *SIZE)
    assert float(crop[:, :20].max()) == 0
    assert float(crop[:, 80:100, 60:70].min()) == 1


def test_a_person_scores_as_its_box_and_its_sure_keypoints() -> None:
    finder = estimator(HOURGLASS)
    heatmaps = finder.forward(torch.stack([finder.prepare(dots(), BOXES[0])] * 2))

    sure, unsure = finder.finish(heatmaps, BOXES[[0, 0]], np.array([1.0, 0.5]))

    confident = sure.scores[sure.scores > 0.2]
    assert sure.score == pytest.approx(confident.mean())
    assert unsure.score == pytest.approx(sure.score / 2)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_a_pose_that_repeats_a_better_one_is_dropped(skeleton: Skeleton) -> None:
    points = np.random.default_rng(0).uniform(50, 150, (len(skeleton), 2))
    first = Pose(np.array([50.0, 50.0, 150.0, 150.0]), 0.6, points, np.ones(len(skeleton)))
    better = replace(first, score=0.9, points=points + 0.5)
    elsewhere = replace(first, score=0.3, points=points + 60)

    finder = estimator(HRNET, skeleton)

    assert finder.without_repeats([first, better, elsewhere]) == [better, elsewhere]
    assert finder.without_repeats([]) == []


def checkpoint(network: str) -> Checkpoint:
    return Checkpoint("some", "pose", network, Preprocessing((64, 64)), "some.safetensors", "", "here", "CC0", True)


@pytest.mark.parametrize(
    ("network", "arguments", "skeleton"),
    [
        ("hourglass_bearpaw", {"num_stacks": 1, "num_keypoints": 14, "channels": 8}, LSP_14),
        ("hourglass_princeton", {"num_stacks": 1, "num_keypoints": 16, "channels": 128}, MPII_16),
        ("hrnet_w32_pose", {"num_keypoints": 17}, COCO_17),
    ],
)
def test_every_pose_network_is_wrapped_with_its_skeleton(
    network: str, arguments: dict[str, object], skeleton: Skeleton
) -> None:
    wrapped = pose_estimator(checkpoint(network), models.create(network, **arguments))

    assert wrapped.skeleton == skeleton
    assert not wrapped.network.training
    with torch.inference_mode():
        assert wrapped.forward(torch.zeros(2, 3, 64, 64)).shape == (2, len(skeleton), 16, 16)


def test_a_network_whose_use_is_unknown_is_refused() -> None:
    hourglass = models.create("hourglass_bearpaw", num_stacks=1, num_keypoints=3, channels=8)

    with pytest.raises(CheckpointError, match=r"3 keypoints; known are 17 \(coco17\)"):
        pose_estimator(checkpoint("hourglass_bearpaw"), hourglass)
    with pytest.raises(CheckpointError, match="is a glcnn"):
        pose_estimator(checkpoint("glcnn"), hourglass)


def test_a_picture_that_is_too_long_for_opencv_is_told() -> None:
    with pytest.raises(ValueError, match="32766"):
        estimator(HRNET).prepare(np.zeros((1, 32767, 3), np.uint8), BOXES[0])
