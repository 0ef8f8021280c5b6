"""Simple walkers seen from the side, for tests: a head, a trunk, and two legs that swing."""

import cv2
import numpy as np
from numpy.typing import NDArray


def walker(
    frames: int = 48,
    period: float = 24,
    height: int = 96,
    size: tuple[int, int] = (160, 320),
    start: tuple[int, int] = (80, 150),
    speed: float = 2.0,
    phase: float = 0.0,
) -> NDArray[np.bool_]:
    """Silhouettes (frames, *size).

    Args:
        frames: how many.
        period: frames of one gait cycle.
        height: of the body in pixels.
        size: of the pictures.
        start: x, y of the ground below the body in the first frame.
        speed: pixels a frame.
        phase: of the first frame, in cycles.
    """
    pictures = np.zeros((frames, *size), np.uint8)
    for index, picture in enumerate(pictures):
        turn = 2 * np.pi * (index / period + phase)
        _draw(picture, start[0] + speed * index, start[1], height, turn)
    return pictures > 0


def _draw(picture: NDArray[np.uint8], x: float, ground: int, height: int, turn: float) -> None:
    def point(right: float, up: float) -> tuple[int, int]:
        return round(16 * (x + right * height)), round(16 * (ground - up * height))

    cv2.circle(picture, point(0, 0.92), round(16 * 0.08 * height), 1, cv2.FILLED, shift=4)
    cv2.line(picture, point(0, 0.8), point(0, 0.52), 1, round(0.2 * height), shift=4)
    for side in (1, -1):
        swing = 0.2 * side * np.sin(turn)
        cv2.line(picture, point(0, 0.5), point(swing, 0.06), 1, round(0.1 * height), shift=4)
