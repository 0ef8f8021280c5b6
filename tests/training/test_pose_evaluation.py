"""From pictures and persons to the tables of the pose papers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import models
from models.checkpoint import Checkpoint, Preprocessing
from models.crops import Region
from models.keypoints import COCO_17, MPII_16, Skeleton
from models.transforms import Normalisation
from tests.training.layouts import SKELETON, write_coco, write_mpii
from training.pose_datasets import CocoPersons, load_coco, load_mpii
from training.pose_evaluation import PoseNetwork, evaluate_coco, evaluate_mpii, pose_network
from training.pose_recipes import BEARPAW, HRNET, PRINCETON, FloatArray, PoseRecipe

SIZE = (64, 48)
PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
RECIPES = pytest.mark.parametrize("recipe", [HRNET, BEARPAW, PRINCETON], ids=["hrnet", "bearpaw", "princeton"])


class Brightness(nn.Module):
    """A network whose heatmaps are the picture's red, or its green where the keypoint is a right one."""

    def __init__(self, skeleton: Skeleton, stacks: int = 0) -> None:
        super().__init__()
        self.stacks = stacks
        self.scale = nn.Parameter(torch.ones(()))
        self.channels = [int(name.startswith("right")) for name in skeleton.keypoints]

    def forward(self, images: Tensor) -> Tensor:
        heatmaps = self.scale * nn.functional.avg_pool2d(images, 4)[:, self.channels]
        earlier = [torch.zeros_like(heatmaps)] * (self.stacks - 1)
        return torch.stack([*earlier, heatmaps], dim=1) if self.stacks else heatmaps


def write_dots(path: Path, red: tuple[int, int], green: tuple[int, int]) -> None:
    """A dark picture with a soft red and a soft green dot; the places are x, y."""
    image = np.zeros((200, 240, 3), np.float32)
    for channel, (x, y) in ((2, red), (1, green)):  # OpenCV writes blue first
        image[y, x, channel] = 1
    image = cv2.GaussianBlur(image, (0, 0), 6)
    cv2.imwrite(str(path), np.round(image / image.max(axis=(0, 1)).clip(1e-9) * 255))


def finder(recipe: PoseRecipe, stacks: int = 0, flip: bool = False) -> PoseNetwork:
    return PoseNetwork(Brightness(COCO_17, stacks), recipe, COCO_17, SIZE, PLAIN, flip, batch_size=2)


@RECIPES
@pytest.mark.parametrize("stacks", [0, 2])
def test_points_come_back_to_where_they_are_in_the_picture(tmp_path: Path, recipe: PoseRecipe, stacks: int) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.png"]
    write_dots(paths[0], (70, 60), (90, 120))
    write_dots(paths[1], (150, 110), (110, 90))
    regions = Region(np.array([[80.0, 90.0], [130.0, 100.0], [85.0, 80.0]]), np.array([96.0, 96.0, 120.0]))

    points, scores = finder(recipe, stacks).predict(paths, regions)

    left, right = COCO_17.keypoints.index("left_wrist"), COCO_17.keypoints.index("right_wrist")
    # A quarter of a heatmap's pixel is 2 to 2.5 pixels here, and the hourglasses cut to whole ones.
    assert np.abs(points[:, left] - [[70, 60], [150, 110], [70, 60]]).max() < 4
    assert np.abs(points[:, right] - [[90, 120], [110, 90], [90, 120]]).max() < 4
    assert points.shape == (3, 17, 2)
    assert 0.5 < scores.min() <= scores.max() <= 1


@RECIPES
def test_the_mirrored_pass_takes_left_for_right(tmp_path: Path, recipe: PoseRecipe) -> None:
    write_dots(tmp_path / "a.png", (70, 60), (70, 60))
    regions = Region(np.array([[80.0, 90.0]]), np.array([96.0]))

    plain, _ = finder(recipe).predict([tmp_path / "a.png"], regions)
    merged, _ = finder(recipe, flip=True).predict([tmp_path / "a.png"], regions)

    # HRNet's shift by one pixel of the heatmap, for networks that need it, is at most 8 pixels here.
    assert np.abs(merged - plain).max() <= (8 if recipe.shift else 0)


def test_a_mirrored_pass_that_disagrees_lowers_the_score(tmp_path: Path) -> None:
    write_dots(tmp_path / "a.png", (70, 60), (110, 120))
    regions = Region(np.array([[80.0, 90.0]]), np.array([96.0]))

    _, alone = finder(PRINCETON).predict([tmp_path / "a.png"], regions)
    _, merged = finder(PRINCETON, flip=True).predict([tmp_path / "a.png"], regions)

    nose, wrist = COCO_17.keypoints.index("nose"), COCO_17.keypoints.index("left_wrist")
    assert merged[0, nose] == pytest.approx(alone[0, nose])
    assert merged[0, wrist] == pytest.approx(alone[0, wrist] / 2, rel=0.05)


def perfect_coco(data: CocoPersons, moved: float = 0) -> tuple[FloatArray, FloatArray]:
    offsets = np.where(data.image_ids == 1, 0, 60)
    points = SKELETON + np.stack((offsets, np.full(len(offsets), 10)), axis=1)[:, None] + moved
    return points, np.full(points.shape[:2], 0.9)


def test_perfect_keypoints_have_an_ap_of_one(tmp_path: Path) -> None:
    data = load_coco(write_coco(tmp_path))

    scores = evaluate_coco(data, lambda paths, regions: perfect_coco(data), SIZE)

    assert (scores.ap, scores.ar, scores.ap_medium) == pytest.approx((1, 1, 1))


def test_keypoints_that_are_off_have_a_lower_one(tmp_path: Path) -> None:
    data = load_coco(write_coco(tmp_path))

    scores = evaluate_coco(data, lambda paths, regions: perfect_coco(data, moved=4), SIZE)

    assert 0 < scores.ap < 0.9
    assert scores.ap50 == pytest.approx(1)


def test_a_pose_that_repeats_a_better_one_is_dropped_and_costs_nothing(tmp_path: Path) -> None:
    once = load_coco(write_coco(tmp_path))
    twice = replace(
        once,
        paths=once.paths * 2,
        image_ids=np.tile(once.image_ids, 2),
        boxes=np.tile(once.boxes, (2, 1)),
        box_scores=np.array([0.5, 0.5, 1.0, 1.0]),
    )

    def predict(paths: Sequence[Path], regions: Region) -> tuple[FloatArray, FloatArray]:
        points, scores = perfect_coco(twice)
        points[:2] += 1  # of the weaker boxes
        return points, scores

    assert evaluate_coco(twice, predict, SIZE).ap == pytest.approx(1)


def test_persons_are_given_the_region_of_their_box(tmp_path: Path) -> None:
    data = load_coco(write_coco(tmp_path))
    seen: list[Region] = []

    def predict(paths: Sequence[Path], regions: Region) -> tuple[FloatArray, FloatArray]:
        seen.append(regions)
        return perfect_coco(data)

    evaluate_coco(data, predict, SIZE)

    assert seen[0].center.tolist() == [[64.5, 79.5], [124.5, 79.5]]
    assert seen[0].width.tolist() == [1.25 * 99 * 48 / 64] * 2


def test_perfect_keypoints_have_a_pckh_of_one_for_both_rules_and_every_threshold(tmp_path: Path) -> None:
    data = load_mpii(write_mpii(tmp_path))

    scores = evaluate_mpii(data, lambda paths, regions: (data.points - 1, np.ones((2, 16))))

    assert (scores.hrnet.mean, scores.hrnet_tenth, scores.bearpaw.mean) == (1, 1, 1)
    assert set(scores.hrnet.parts) == {"head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"}


def test_the_rules_differ_at_exactly_half_a_head_and_a_tenth_of_one_is_stricter(tmp_path: Path) -> None:
    data = load_mpii(write_mpii(tmp_path))
    half = np.array([0.9, 1.2])  # 1.5 pixels, where heads are 3 pixels long

    at_half = evaluate_mpii(data, lambda paths, regions: (data.points - 1 + half * 0.999, np.ones((2, 16))))
    beyond = evaluate_mpii(data, lambda paths, regions: (data.points - 1 + half * 1.001, np.ones((2, 16))))

    assert (at_half.hrnet.mean, at_half.bearpaw.mean, at_half.hrnet_tenth) == (1, 1, 0)
    assert (beyond.hrnet.mean, beyond.bearpaw.mean) == (0, 0)


def test_a_network_of_another_skeleton_or_without_a_recipe_is_refused() -> None:
    checkpoint = Checkpoint(
        "tiny", "pose", "hourglass_bearpaw", Preprocessing((64, 64)), "tiny.safetensors", "", "test", "none", False
    )
    network = models.create("hourglass_bearpaw", num_stacks=1, num_keypoints=16, channels=16)

    assert pose_network(checkpoint, network, MPII_16, flip=True).recipe is BEARPAW
    with pytest.raises(ValueError, match="finds 16 keypoints, but coco17 has 17"):
        pose_network(checkpoint, network, COCO_17, flip=True)
    with pytest.raises(ValueError, match="poses are evaluated of hrnet_w32_pose"):
        pose_network(replace(checkpoint, network="glcnn"), network, MPII_16, flip=True)


@pytest.mark.shared
def test_the_true_keypoints_of_the_small_coco_set_have_an_ap_of_one(shared: Path) -> None:
    data = load_coco(shared / "data" / "coco-keypoints-mini")
    annotated = [a for a in data.ground_truth["annotations"] if any(a["keypoints"]) and not a["iscrowd"]]
    keypoints = np.array([a["keypoints"] for a in annotated], np.float64).reshape(-1, 17, 3)

    scores = evaluate_coco(data, lambda paths, regions: (keypoints[..., :2], (keypoints[..., 2] > 0) * 0.9), SIZE)

    assert scores.ap > 0.99
