"""How well gait energy images keep what tells people apart: the walk most like each one, among those of its view."""

import numpy as np
from numpy.typing import NDArray

from training.gait_sequences import RealWalks


def nearest_is_same(geis: NDArray[np.uint8], subjects: list[str]) -> NDArray[np.bool_]:
    """Whether each image's (N, h, w) nearest other one, by squared distance of pixels, is of the same subject."""
    flat = geis.reshape(len(geis), -1).astype(np.float64)
    squares = np.square(flat).sum(axis=1)
    distances = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(distances, np.inf)
    people = np.array(subjects)
    return np.asarray(people[distances.argmin(axis=1)] == people)


def identification(walks: RealWalks) -> dict[str, dict[str, float]]:
    """By view: how many walks there are, and the share whose nearest other walk is of the same subject."""
    rows: dict[str, dict[str, float]] = {}
    for view in sorted(set(walks.views)):
        chosen = [index for index, seen in enumerate(walks.views) if seen == view]
        same = nearest_is_same(walks.geis[chosen], [walks.subjects[index] for index in chosen])
        rows[view] = {"walks": len(chosen), "same subject": float(same.mean())}
    return rows
