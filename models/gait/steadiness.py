"""Whether the camera of a video stands still."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (120, 160)
# Of the small picture; below are noise, trees and what walks by.
MOVED_PIXELS = 0.75
# People alone, in the whole of vtest.avi, move a ninth of its frames by so much.
MOVING_SHARE = 0.15
MIN_FRAMES = 5


class SteadinessMeter:
    """Watches the frames of a video for moves of the whole picture, by phase correlation."""

    def __init__(self) -> None:
        self._window = cv2.createHanningWindow(SIZE[::-1], cv2.CV_32F)
        self._before: NDArray[np.float32] | None = None
        self._frames = self._moves = 0

    def update(self, frame: NDArray[np.uint8]) -> None:
        """Look at the next frame (H, W, 3)."""
        small = cv2.resize(frame, SIZE[::-1], interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
        if self._before is not None:
            (x, y), _ = cv2.phaseCorrelate(self._before, grey, self._window)
            self._moves += math.hypot(x, y) > MOVED_PIXELS
            self._frames += 1
        self._before = grey

    @property
    def camera_moves(self) -> bool:
        """Whether the picture moved in more than a seventh of the frames."""
        return self._frames >= MIN_FRAMES and self._moves > MOVING_SHARE * self._frames
