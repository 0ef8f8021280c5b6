"""How much of a person can be seen in a crop, told from their keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.keypoints import Skeleton

CONFIDENT = 0.2
"""Only keypoints from this score on tell that there is somebody, and where; as in `models.oks.pose_scores`."""

SURE = 0.4
"""Keypoints from this score on count in full, and less sure ones in proportion."""

ENOUGH = 0.6
"""Of a part, or of a person, to be seen. Nearly all whole people reach it, most halves do not (docs/accuracy.md)."""

SOMEBODY = 0.3
"""Less than this of a person is taken for nobody."""

BORDER = 0.02
"""Keypoints this near to the border, in shares of the crop's sides, count as cut off."""

# What re-identification looks at: clothes above and below. The head says little at a distance.
_PARTS: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "head": (0.1, ("nose", "head_top", "upper_neck", "neck", "left_ear", "right_ear")),
    "torso": (0.4, ("left_shoulder", "right_shoulder", "left_hip", "right_hip")),
    "arms": (0.1, ("left_elbow", "right_elbow", "left_wrist", "right_wrist")),
    "legs": (0.4, ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")),
}
_CUT_OFF, _CROWDED = 0.8, 0.5


@dataclass(frozen=True)
class Visibility:
    """How much of a person a crop shows.

    Attributes:
        score: 0..1; 1 is one whole person, 0 nobody.
        reasons: why it is less than 1, one at least if it is less than `ENOUGH`: "no_person", "several_people",
            "cut_off", "head_hidden", "torso_hidden", "arms_hidden", "legs_hidden".
    """

    score: float
    reasons: tuple[str, ...]


def visibility(
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
    skeleton: Skeleton,
    size: tuple[int, int],
    persons: int = 1,
) -> Visibility:
    """Judge a crop by the keypoints of its main person.

    The score is the weighted share of the keypoints that are seen: 0.4 for the torso, 0.4 for the legs, 0.1 each for
    head and arms. A person who goes on beyond the border loses a fifth, and company halves it, since nobody knows then
    whom the crop is of. A part is hidden when less than `ENOUGH` of it is seen.

    Args:
        points: (K, 2) x, y in crop pixels.
        scores: (K,) 0..1.
        skeleton: what the K keypoints are.
        size: (height, width) of the crop.
        persons: how many were found in the crop.
    """
    extent = np.array([size[1], size[0]], np.float64)
    inside = ((points >= -0.5) & (points <= extent - 0.5)).all(axis=1)
    if persons == 0 or not ((scores >= CONFIDENT) & inside).any():
        return Visibility(0.0, ("no_person",))
    seen = np.minimum(scores / SURE, 1) * inside
    near = ((points < BORDER * extent) | (points > (1 - BORDER) * extent)).any(axis=1)
    # Crops are often tight above the head; nothing is missing there.
    counted = np.array([name != "head_top" for name in skeleton.keypoints])
    cut_off = bool(((scores >= CONFIDENT) & near & counted).any())
    shares = {part: _share(seen, skeleton, names) for part, (_, names) in _PARTS.items()}
    weights = {part: weight for part, (weight, _) in _PARTS.items()}
    whole = sum(weights[part] * share for part, share in shares.items())
    score = whole * (_CUT_OFF if cut_off else 1) * (_CROWDED if persons > 1 else 1)
    if whole < SOMEBODY:
        return Visibility(round(score, 4), ("no_person",))
    reasons = [
        *(["several_people"] if persons > 1 else []),
        *(["cut_off"] if cut_off else []),
        *(f"{part}_hidden" for part, share in shares.items() if share < ENOUGH),
    ]
    return Visibility(round(score, 4), tuple(reasons))


def _share(seen: NDArray[np.floating], skeleton: Skeleton, names: tuple[str, ...]) -> float:
    return float(np.mean([seen[skeleton.keypoints.index(name)] for name in names if name in skeleton.keypoints]))
