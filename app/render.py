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

SURE = 0.4
"""Keypoints below, and limbs that end in one, are drawn faintly."""

FAINT = 0.45
"""How much of a faint line's colour is seen."""

SMALL = 160
"""Persons with fewer pixels along the longer side of their box get no outlines."""

FRACTION_BITS = 4
FAR = 100_000.0
"""Pixels beyond which points are not drawn; OpenCV's integers end."""


def draw_poses(image: Image, poses: Sequence[Pose], skeleton: Skeleton) -> Image:
    """Draw persons over a copy of an image (H, W, 3) uint8 RGB.

    Each person's own left side is orange, the right one blue, the middle green; boxes are thin and white. What the
    network is unsure of shows faintly. All but small persons have a dark outline. Lines grow with the picture, less for
    persons who are small in it.
    """
    ordered = sorted(poses, key=lambda pose: pose.score)
    faint = np.ascontiguousarray(image).copy()
    for pose in ordered:
        _draw_box(faint, pose, line_thickness(image.shape[:2], pose))
        _draw_skeleton(faint, pose, skeleton, line_thickness(image.shape[:2], pose), CONFIDENT)
    drawn = np.asarray(cv2.addWeighted(faint, FAINT, np.ascontiguousarray(image), 1 - FAINT, 0), np.uint8)
    for pose in ordered:
        _draw_skeleton(drawn, pose, skeleton, line_thickness(image.shape[:2], pose), SURE)
    return drawn


def line_thickness(size: tuple[int, ...], pose: Pose) -> int:
    """Thickness of a person's limbs in pixels: 1 in thumbnails, a hundredth of the person in large pictures."""
    by_person = _length(pose) / 100 + 0.6
    by_picture = min(size[:2]) / 120
    return max(1, round(min(by_person, by_picture)))


def encode_png(image: Image) -> bytes:
    """Encode an image (H, W, 3) uint8 RGB; fast rather than small."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 2])
    return data.tobytes()


def _length(pose: Pose) -> float:
    return float(np.max(pose.box[2:] - pose.box[:2]))


def _outline(pose: Pose, thickness: int) -> int:
    """Dark pixels on each side of a line; none on persons so small that little else would be left of them."""
    return max(1, thickness // 3) if _length(pose) >= SMALL else 0


def _draw_box(image: Image, pose: Pose, thickness: int) -> None:
    width = max(1, thickness // 3)
    first, end = np.round(pose.box[:2]).astype(int), np.round(pose.box[2:]).astype(int) - 1
    # The dark line lies around the light one, which white ground would swallow.
    for colour, out in ((OUTLINE, width), (BOX, 0)):
        cv2.rectangle(image, (first - out).tolist(), (end + out).tolist(), colour, width)


def _draw_skeleton(image: Image, pose: Pose, skeleton: Skeleton, thickness: int, min_score: float) -> None:
    """Draw what joins keypoints from a score on, and then those."""
    shown = _near(pose) & (pose.scores >= min_score)
    outline = _outline(pose, thickness)
    limbs = [(i, j) for i, j in skeleton.limbs if shown[i] and shown[j]]
    for beneath in (True, False):
        for i, j in limbs:
            colour = OUTLINE if beneath else _limb_colour(skeleton.keypoints[i], skeleton.keypoints[j])
            width = thickness + 2 * outline if beneath else thickness
            cv2.line(image, _fixed(pose.points[i]), _fixed(pose.points[j]), colour, width, cv2.LINE_AA, FRACTION_BITS)
    for index in np.flatnonzero(shown):
        _draw_disc(image, pose.points[index], OUTLINE, thickness + 0.7 * outline)
        _draw_disc(image, pose.points[index], side_colour(skeleton.keypoints[index]), thickness)


def _draw_disc(image: Image, center: NDArray[np.float64], colour: Colour, radius: float) -> None:
    length = round(radius * 2**FRACTION_BITS)
    cv2.circle(image, _fixed(center), length, colour, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)


def side_colour(name: str) -> Colour:
    """The colour of a keypoint's side of the body."""
    return {"left": LEFT, "right": RIGHT}.get(name.partition("_")[0], MIDDLE)


def _limb_colour(a: str, b: str) -> Colour:
    """A limb belongs to the side it leads to; one that leads from side to side belongs to none."""
    colours = {side_colour(a), side_colour(b)} - {MIDDLE}
    return colours.pop() if len(colours) == 1 else MIDDLE


def _near(pose: Pose) -> NDArray[np.bool_]:
    finite = np.isfinite(pose.points).all(axis=1)
    return np.asarray(finite & (np.abs(pose.points) < FAR).all(axis=1), np.bool_)


def _fixed(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = (round(float(value) * 2**FRACTION_BITS) for value in point)
    return x, y
