"""Pictures with a drawn person."""

import cv2
import numpy as np
from numpy.typing import NDArray


def scene(size: tuple[int, int] = (320, 320)) -> NDArray[np.uint8]:
    """A bright and even background (height, width, 3)."""
    return np.full((*size, 3), 190, np.uint8)


def draw_person(image: NDArray[np.uint8], left: int, top: int, height: int = 200) -> tuple[int, int, int, int]:
    """Draw a dark standing figure into an image, and return its box x1, y1, x2, y2."""
    unit = height / 100
    middle = left + 18 * unit

    def at(x: float, y: float) -> tuple[int, int]:
        return round(middle + x * unit), round(top + y * unit)

    dark = (40, 40, 40)
    cv2.ellipse(image, at(0, 8), (round(6 * unit), round(8 * unit)), 0, 0, 360, dark, cv2.FILLED)
    cv2.fillConvexPoly(image, np.array([at(-12, 18), at(12, 18), at(9, 52), at(-9, 52)]), dark)
    for side in (-1, 1):
        cv2.line(image, at(side * 12, 20), at(side * 15, 52), dark, round(5 * unit))
        cv2.line(image, at(side * 5, 50), at(side * 8, 97), dark, round(8 * unit))
    return round(middle - 18 * unit), top, round(middle + 18 * unit), top + height
