from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.render import LEFT, RIGHT, draw_poses, encode_png, line_thickness, side_colour
from models.keypoints import COCO_17, SKELETONS, Skeleton
from models.predictors.pose import Pose

GREY = 128


def standing(skeleton: Skeleton, height: int) -> Pose:
    """Somebody whose left side is on the right of the picture, as seen from the front, and who fills it."""
    rng = np.random.default_rng(0)
    side = {"left": 0.7, "right": 0.3}
    x = [side.get(name.partition("_")[0], 0.5) for name in skeleton.keypoints]
    points = np.column_stack((x, rng.uniform(0.1, 0.9, len(skeleton)))) * [height / 2, height]
    return Pose(np.array([0.1 * height, 0, 0.4 * height, height]), 0.9, points, np.ones(len(skeleton)))


def grey(height: int) -> NDArray[np.uint8]:
    return np.full((height, height // 2, 3), GREY, np.uint8)


@pytest.mark.parametrize("height", [160, 1080, 4000])
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_both_sides_are_to_be_seen_at_every_size(skeleton: Skeleton, height: int) -> None:
    drawn = draw_poses(grey(height), [standing(skeleton, height)], skeleton)

    for colour in (LEFT, RIGHT):
        assert (drawn == colour).all(axis=2).sum() > 0.1 * height
    # Much of the picture must still be seen.
    assert (drawn == GREY).all(axis=2).mean() > 0.5


def test_the_picture_that_is_drawn_on_stays_as_it_was() -> None:
    image = grey(160)

    draw_poses(image, [standing(COCO_17, 160)], COCO_17)

    assert (image == GREY).all()


def test_hopeless_and_far_away_keypoints_are_not_drawn() -> None:
    pose = standing(COCO_17, 400)
    nobody = Pose(pose.box, 0.0, pose.points, np.full(17, 0.1))
    elsewhere = Pose(pose.box, 0.9, pose.points + 1e12, pose.scores)

    for unseen in (nobody, elsewhere):
        drawn = draw_poses(grey(400), [unseen], COCO_17)
        assert not (drawn == LEFT).all(axis=2).any()


def test_what_the_network_is_unsure_of_shows_faintly() -> None:
    pose = standing(COCO_17, 400)
    unsure = replace(pose, scores=np.full(17, 0.3))
    one_sure = replace(pose, scores=np.where(np.arange(17) == COCO_17.keypoints.index("left_knee"), 0.9, 0.3))

    faint, mixed = (draw_poses(grey(400), [each], COCO_17) for each in (unsure, one_sure))

    assert not (faint == LEFT).all(axis=2).any()
    # Orange above grey is still orange: most red, least blue.
    orange = (faint[:, :, 0] > GREY + 20) & (faint[:, :, 2] < GREY - 20)
    assert orange.sum() > 100
    # The sure knee shows in full, the limbs to its unsure neighbours do not.
    knee = pose.points[COCO_17.keypoints.index("left_knee")]
    rows, columns = np.nonzero((mixed == LEFT).all(axis=2))
    assert rows.size > 0
    assert np.hypot(columns - knee[0], rows - knee[1]).max() < 10


def test_white_ground_and_dark_ground_both_show_the_box() -> None:
    pose = Pose(np.array([50.0, 50.0, 100.0, 150.0]), 0.9, np.zeros((17, 2)), np.zeros(17))

    for ground in (0, 255):
        drawn = draw_poses(np.full((200, 200, 3), ground, np.uint8), [pose], COCO_17)
        assert np.abs(drawn.astype(int) - ground).max() > 80


def test_lines_grow_with_the_picture_but_stay_thin_on_small_persons() -> None:
    assert line_thickness((160, 120), standing(COCO_17, 160)) == 1
    assert line_thickness((4000, 3000), standing(COCO_17, 4000)) >= 16
    assert line_thickness((4000, 3000), standing(COCO_17, 30)) == 1


def test_sides_are_told_by_name() -> None:
    assert side_colour("left_ankle") == LEFT
    assert side_colour("right_eye") == RIGHT
    assert side_colour("nose") not in (LEFT, RIGHT)


def test_the_png_holds_the_same_picture() -> None:
    image = draw_poses(grey(160), [standing(COCO_17, 160)], COCO_17)

    decoded = cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), cv2.IMREAD_COLOR)

    assert decoded is not None
    assert np.array_equal(decoded[:, :, ::-1], image)
