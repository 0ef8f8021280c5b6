"""A picture of one walk: its gait energy image, its age, its silhouettes and its steps."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.age import AgeEstimate
from models.gait.gei import Gei
from models.gait.silhouettes import Silhouettes

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 960, 560
PAPER, INK, PALE, BLUE, ORANGE = (255, 255, 255), (40, 40, 40), (222, 228, 236), (44, 108, 190), (226, 122, 24)
GEI_BOX = (20, 40, 196, 296)
AGE_BOX = (240, 40, 940, 296)
STRIP_BOX = (20, 320, 940, 420)
WIDTH_BOX = (60, 450, 940, 530)
SHOWN = 12
# What is smaller beside the largest part of a silhouette; a head that is cut off is larger.
SPECK = 0.03
# Frames without a width; the line is broken where there are more.
MAX_GAP = 3


def draw_walk(
    title: str,
    age: AgeEstimate,
    image: Floats,
    gei: Gei | None,
    silhouettes: Silhouettes | None,
    warnings: Sequence[str] = (),
) -> Image:
    """Draw a walk and what was found out about it (560, 960, 3) uint8 RGB.

    Args:
        title: a line at the top.
        age: the estimate.
        image: (h, w) 0..1, the gait energy image.
        gei: where it comes from; without one there are no steps to draw.
        silhouettes: (N, h, w) of which some are shown.
        warnings: codes of what the age should not be trusted for.
    """
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    _write(canvas, title, (20, 26), 0.55)
    if warnings:
        _write(canvas, ", ".join(warnings), (AGE_BOX[0], 26), 0.42, ORANGE)
    _place(canvas, np.asarray(image, np.float32), GEI_BOX)
    _draw_age(canvas, age)
    if silhouettes is not None and len(silhouettes):
        _draw_strip(canvas, silhouettes)
    if gei is not None:
        _draw_widths(canvas, gei)
    return canvas


def _draw_age(canvas: Image, age: AgeEstimate) -> None:
    x1, y1, x2, y2 = AGE_BOX
    bottom, count = y2 - 24, len(age.probabilities)
    step = (x2 - x1) / count

    def column(years: float) -> int:
        return round(x1 + (years + 0.5) * step)

    text = f"median {age.median:.0f}, mean {age.mean:.1f} years"
    if age.interval is not None:
        held = age.interval
        cv2.rectangle(canvas, (column(held.low), y1 + 24), (column(held.high), bottom), PALE, cv2.FILLED)
        text += f"; {held.low:.0f} to {held.high:.0f} with {100 * held.level:.0f} %"
    heights = age.probabilities / max(float(age.probabilities.max()), 1e-9) * (bottom - y1 - 34)
    for years, height in enumerate(heights):
        left, right = round(x1 + years * step), round(x1 + (years + 1) * step) - 1
        cv2.rectangle(canvas, (left, bottom - round(float(height))), (max(left, right), bottom), BLUE, cv2.FILLED)
    middle = column(age.median)
    cv2.line(canvas, (middle, y1 + 24), (middle, bottom), ORANGE, 2)
    _write(canvas, text, (x1, y1 + 14), 0.5)
    cv2.line(canvas, (x1, bottom), (x2, bottom), INK, 1)
    for years in range(0, count, 10):
        _write(canvas, f"{years} years" if years == 0 else str(years), (column(years) - 6, y2 - 6), 0.4)


def _draw_strip(canvas: Image, silhouettes: Silhouettes) -> None:
    x1, y1, x2, y2 = STRIP_BOX
    chosen = np.linspace(0, len(silhouettes) - 1, min(SHOWN, len(silhouettes))).round().astype(int)
    width = (x2 - x1) // SHOWN
    for place, index in enumerate(chosen):
        box = (x1 + place * width, y1, x1 + (place + 1) * width - 6, y2)
        _place(canvas, _body(silhouettes[index]).astype(np.float32), box)


def _body(silhouette: Silhouettes) -> Silhouettes:
    """Where the parts of a silhouette are that are no specks; with those it would be small in its box."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(silhouette.astype(np.uint8))
    if count < 2:
        return silhouette
    left, top, width, height, area = stats[1:].T
    kept = area >= SPECK * area.max()
    rows = slice(top[kept].min(), (top + height)[kept].max())
    return silhouette[rows, left[kept].min() : (left + width)[kept].max()]


def _draw_widths(canvas: Image, gei: Gei) -> None:
    x1, y1, x2, y2 = WIDTH_BOX
    first, last = int(gei.indices[0]), max(int(gei.indices[-1]), int(gei.indices[0]) + 1)
    low, high = float(gei.width_signal.min()), max(float(gei.width_signal.max()), float(gei.width_signal.min()) + 1e-3)
    x = x1 + (gei.indices - first) / (last - first) * (x2 - x1)
    y = y2 - (gei.width_signal - low) / (high - low) * (y2 - y1)
    if gei.period_frames:
        for number in range(int(gei.gait_cycles) + 1):
            at = round(x1 + number * gei.period_frames / (last - first) * (x2 - x1))
            cv2.line(canvas, (at, y1 - 8), (at, y2 + 8), ORANGE, 1)
    points = np.stack((x, y), axis=1).round().astype(np.int32)
    gaps = np.flatnonzero(np.diff(gei.indices) > MAX_GAP) + 1
    cv2.polylines(canvas, np.split(points, gaps), False, BLUE, 2, cv2.LINE_AA)
    cycles = (
        f"{gei.gait_cycles:.1f} gait cycles of {gei.period_frames:.1f} frames"
        if gei.period_frames
        else "no steps found"
    )
    _write(canvas, f"width of the legs; {cycles}; frames {first} to {last}", (x1, HEIGHT - 10), 0.45)


def _place(canvas: Image, grey: Floats, box: tuple[int, int, int, int]) -> None:
    """Fit a picture 0..1 into a box, on black."""
    x1, y1, x2, y2 = box
    canvas[y1:y2, x1:x2] = 0
    scale = min((y2 - y1) / grey.shape[0], (x2 - x1) / grey.shape[1])
    height, width = max(1, int(grey.shape[0] * scale)), max(1, int(grey.shape[1] * scale))
    fitted = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    top, left = y1 + (y2 - y1 - height) // 2, x1 + (x2 - x1 - width) // 2
    canvas[top : top + height, left : left + width] = np.round(255 * np.clip(fitted, 0, 1))[:, :, None]


def _write(canvas: Image, text: str, point: tuple[int, int], size: float, colour: Colour = INK) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, point, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
