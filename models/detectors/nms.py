"""How boxes overlap, and which of several boxes around one person to keep."""

import numpy as np
from numpy.typing import NDArray


def intersections(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The areas (N, M) in which boxes (N, 4) and boxes (M, 4) overlap."""
    a, b = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    extent = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.asarray(extent.clip(0).prod(axis=-1))


def areas(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The areas (N,) of boxes (N, 4)."""
    boxes = np.asarray(boxes, np.float64)
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=-1))


def iou(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and boxes (M, 4); 0 for two empty ones."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def nesting(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over the smaller box (N, M): 1 where one box lies within the other; 0 if it is empty."""
    shared = intersections(first, second)
    smaller = np.minimum(areas(first)[:, None], areas(second)[None])
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)


def suppress(
    boxes: NDArray[np.floating], scores: NDArray[np.floating], max_iou: float, max_nesting: float = 1.0
) -> NDArray[np.intp]:
    """Non-maximum suppression: of boxes that overlap too much, keep the one with the best score.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        scores: (N,)
        max_iou: boxes that overlap a better one by more than this are dropped.
        max_nesting: so are those that share more than this part of the smaller box with it, which intersection over
            union does not see when one is much larger.

    Returns:
        indices of what is kept, the best first.
    """
    rivals = (iou(boxes, boxes) > max_iou) | (nesting(boxes, boxes) > max_nesting)
    alive = np.ones(len(boxes), bool)
    kept = []
    for index in np.argsort(-np.asarray(scores), kind="stable"):
        if alive[index]:
            kept.append(index)
            alive &= ~rivals[index]
    return np.array(kept, np.intp)
