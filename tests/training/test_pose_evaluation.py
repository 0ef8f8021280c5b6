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
from models.pose_systems import FloatArray
from models.transforms import Normalisation
from tests.training.layouts import SKELETON, write_coco, write_mpii
from training.pose_datasets import CocoPersons, load_coco, load_mpii
from training.pose_evaluation import PoseNetwork, evaluate_coco, evaluate_mpii, pose_network
from training.pose_recipes import BEARPAW, HRNET, PRINCETON, PoseRecipe

SIZE = (64, 48)
PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
RECIPES = pytest.mark.parametrize("recipe", [HRNET, BEARPAW, PRINCETON], ids=["hrnet", "bearpaw", "princeton"])


class Brightness(nn.Module):
    """A network that finds a left wrist where the picture is red, a right one where it is green, and nothing else.

    HRNet is trained for heatmaps whose pixel i stands for pixel 4 i of the crop, hourglasses for 4 i to 4 i + 3.
    """

    def __init__(self, skeleton: Skeleton, recipe: PoseRecipe, stacks: int = 0) -> None:
        super().__init__()
        self.stacks = stacks
        self.shrink = nn.AvgPool2d(3, 4, padding=1) if recipe is HRNET else nn.AvgPool2d(4)
        self.scale = nn.Parameter(torch.ones(()))
        self.channels = [{"left_wrist": 0, "right_wrist": 1}.get(name, 2) for name in skeleton.keypoints]

    def forward(self, images: Tensor) -> Tensor:
        heatmaps = self.scale * self.shrink(images)[:, self.channels]
        earlier = [torch.zeros_like(heatmaps)] * (self.stacks - 1)
        return torch.stack([*earlier, heatmaps], dim=1) if self.stacks else heatmaps


def write_dots(path: Path, red: tuple[int, int], green: tuple[int, int]) -> None:
    """A dark picture with a soft red and a soft green dot; the places are x, y."""
    image = np.zeros((200, 240, 3), np.float32)
    for channel, (x, y) in ((2, red), (1, green)):  # OpenCV writes blue first
        image[y, x, channel] = 1
    soft = cv2.GaussianBlur(image, (0, 0), 6)
    cv2.imwrite(str(path), (soft / soft.max(axis=(0, 1)).clip(1e-9) * 255).round().astype(np.uint8))


LEFT, RIGHT = COCO_17.keypoints.index("left_wrist"), COCO_17.keypoints.index("right_wrist")
NOSE = COCO_17.keypoints.index("nose")


def finder(recipe: PoseRecipe, stacks: int = 0, flip: bool = False) -> PoseNetwork:
    return PoseNetwork(Brightness(COCO_17, recipe, stacks), recipe, COCO_17, SIZE, PLAIN, flip, batch_size=2)


@RECIPES
@pytest.mark.parametrize("stacks", [0, 2])
def test_points_come_back_to_where_they_are_in_the_picture(tmp_path: Path, recipe: PoseRecipe, stacks: int) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.png"]
    write_dots(paths[0], (70, 60), (90, 120))
    write_dots(paths[1], (150, 110), (110, 90))
    regions = Region(np.array([[80.0, 90.0], [130.0, 100.0], [85.0, 80.0]]), np.array([96.0, 96.0, 120.0]))

    points, scores = finder(recipe, stacks).predict(paths, regions)

    # A quarter of a heatmap's pixel is 2 to 2.5 pixels here, and the hourglasses cut to whole ones.
    closest = 2.5 if recipe is HRNET else 3.5
    assert np.abs(points[:, LEFT] - [[70, 60], [150, 110], [70, 60]]).max() <= closest
    assert np.abs(points[:, RIGHT] - [[90, 120], [110, 90], [90, 120]]).max() <= closest
    assert points.shape == (3, 17, 2)
    assert 0.5 < scores[:, [LEFT, RIGHT]].min() <= scores.max() <= 1
    assert not scores[:, NOSE].any()


@RECIPES
def test_the_mirrored_pass_takes_left_for_right(tmp_path: Path, recipe: PoseRecipe) -> None:
    write_dots(tmp_path / "a.png", (70, 60), (70, 60))
    regions = Region(np.array([[80.0, 90.0]]), np.array([96.0]))

    plain, alone = finder(recipe).predict([tmp_path / "a.png"], regions)
    merged, both = finder(recipe, flip=True).predict([tmp_path / "a.png"], regions)

    assert both == pytest.approx(alone, rel=0.1)
    # The mirrored pass of HRNet's samples lies a pixel of the crop, two of the picture, beside the plain one's.
    assert np.abs(merged - plain).max() <= (2 if recipe is HRNET else 0)


def test_a_mirrored_pass_that_disagrees_lowers_the_score(tmp_path: Path) -> None:
    write_dots(tmp_path / "a.png", (70, 60), (110, 120))
    regions = Region(np.array([[80.0, 90.0]]), np.array([96.0]))

    _, alone = finder(PRINCETON).predict([tmp_path / "a.png"], regions)
    _, merged = finder(PRINCETON, flip=True).predict([tmp_path / "a.png"], regions)

    assert merged[0, [LEFT, RIGHT]] == pytest.approx(alone[0, [LEFT, RIGHT]] / 2, rel=0.05)


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
    # A crowd would excuse every repetition.
    annotations = [person for person in once.ground_truth["annotations"] if not person["iscrowd"]]
    twice = replace(
        once,
        ground_truth=once.ground_truth | {"annotations": annotations},
        paths=once.paths * 2,
        image_ids=np.tile(once.image_ids, 2),
        boxes=np.tile(once.boxes, (2, 1)),
        box_scores=np.array([1.0, 0.5, 0.8, 0.3]),  # the second is right, and below a repetition
    )

    def predict(paths: Sequence[Path], regions: Region) -> tuple[FloatArray, FloatArray]:
        points, scores = perfect_coco(twice)
        points[2:] += 1
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

    scores = evaluate_coco(
        data, lambda paths, regions: (keypoints[..., :2], np.where(keypoints[..., 2] > 0, 0.9, 0.0)), SIZE
    )

    assert scores.ap > 0.99
