"""Skeletons drawn over a picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.keypoints import Skeleton
from models.predictors.pose import Pose

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

LEFT, RIGHT, MIDDLE = (255, 138, 0), (0, 178, 255), (154, 230, 40)
BOX, OUTLINE = (235, 235, 235), (16, 16, 16)
CONFIDENT = 0.2
"""Keypoints below are not drawn."""

SMALL = 80
"""Persons with fewer pixels along the longer side of their box get no outlines."""

FRACTION_BITS = 4
FAR = 100_000.0
"""Pixels beyond which points are not drawn; OpenCV's integers end."""


def draw_poses(image: Image, poses: Sequence[Pose], skeleton: Skeleton) -> Image:
    """Draw persons over a copy of an image (H, W, 3) uint8 RGB.

    Each person's own left side is orange, the right one blue, the middle green; boxes are thin and white. All but the
    smallest persons have a dark outline. Lines grow with the picture, less for persons who are small in it.
    """
    drawn = np.ascontiguousarray(image).copy()
    for pose in sorted(poses, key=lambda pose: pose.score):
        thickness = line_thickness(image.shape[:2], pose)
        _draw_box(drawn, pose, max(1, thickness // 3))
        _draw_limbs(drawn, pose, skeleton, thickness)
        _draw_points(drawn, pose, skeleton, thickness)
    return drawn


def line_thickness(size: tuple[int, ...], pose: Pose) -> int:
    """Thickness of a person's limbs in pixels: 1 in thumbnails, a hundredth of the person in large pictures."""
    by_person = float(np.max(pose.box[2:] - pose.box[:2])) / 100
    by_picture = min(size[:2]) / 120
    return max(1, round(min(by_person, by_picture)))


def _outline(pose: Pose, thickness: int) -> int:
    """Dark pixels on each side of a line; none on persons so small that little else would be left of them."""
    return max(int(np.max(pose.box[2:] - pose.box[:2]) >= SMALL), thickness // 3)


def encode_png(image: Image) -> bytes:
    """Encode an image (H, W, 3) uint8 RGB; fast rather than small."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 2])
    return data.tobytes()


def _draw_box(image: Image, pose: Pose, thickness: int) -> None:
    corners = pose.box - 0.5
    for colour, width in ((OUTLINE, thickness + 2 * _outline(pose, thickness)), (BOX, thickness)):
        cv2.rectangle(image, _fixed(corners[:2]), _fixed(corners[2:]), colour, width, cv2.LINE_AA, FRACTION_BITS)


def _draw_limbs(image: Image, pose: Pose, skeleton: Skeleton, thickness: int) -> None:
    visible = _visible(pose)
    limbs = [(i, j) for i, j in skeleton.limbs if visible[i] and visible[j]]
    for outline in (True, False):
        for i, j in limbs:
            colour = OUTLINE if outline else _limb_colour(skeleton.keypoints[i], skeleton.keypoints[j])
            width = thickness + 2 * _outline(pose, thickness) if outline else thickness
            cv2.line(image, _fixed(pose.points[i]), _fixed(pose.points[j]), colour, width, cv2.LINE_AA, FRACTION_BITS)


def _draw_points(image: Image, pose: Pose, skeleton: Skeleton, thickness: int) -> None:
    for name, point, visible in zip(skeleton.keypoints, pose.points, _visible(pose), strict=True):
        if visible:
            for colour, radius in (
                (OUTLINE, thickness + 0.7 * _outline(pose, thickness)),
                (side_colour(name), thickness),
            ):
                cv2.circle(
                    image,
                    _fixed(point),
                    round(radius * 2**FRACTION_BITS),
                    colour,
                    cv2.FILLED,
                    cv2.LINE_AA,
                    FRACTION_BITS,
                )


def side_colour(name: str) -> Colour:
    """The colour of a keypoint's side of the body."""
    return {"left": LEFT, "right": RIGHT}.get(name.partition("_")[0], MIDDLE)


def _limb_colour(a: str, b: str) -> Colour:
    """A limb belongs to the side it leads to; one that leads from side to side belongs to none."""
    colours = {side_colour(a), side_colour(b)} - {MIDDLE}
    return colours.pop() if len(colours) == 1 else MIDDLE


def _visible(pose: Pose) -> NDArray[np.bool_]:
    near = np.isfinite(pose.points).all(axis=1) & (np.abs(pose.points) < FAR).all(axis=1)
    return np.asarray(near & (pose.scores >= CONFIDENT), np.bool_)


def _fixed(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = (round(float(value) * 2**FRACTION_BITS) for value in point)
    return x, y
