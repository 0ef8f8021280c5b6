"""Persons followed through a video of a fixed camera, with their silhouettes."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.gait.silhouettes import Silhouettes

Boxes = NDArray[np.float64]

CANVAS = (176, 136)
# A body of usual height in the canvas; the rest is room for frames in which it is higher.
BODY_ROWS = 128
NEIGHBOURS = 9
MARGIN = 2


@dataclass
class Track:
    """One person, as long as they were in sight.

    Attributes:
        number: 1, 2, … in order of appearance.
        frames: of the video, in which they were found.
        boxes: (4,) x1, y1, x2, y2 in each of these frames.
        silhouettes: (176, 136) bool in each of these frames, at about the same scale; cut-off ones are empty.
    """

    number: int
    frames: list[int] = field(default_factory=list)
    boxes: list[Boxes] = field(default_factory=list)
    silhouettes: list[Silhouettes] = field(default_factory=list)

    def add(self, frame: int, box: Boxes, mask: Silhouettes) -> None:
        """Add a sighting; the mask is the frame's foreground."""
        self.frames.append(frame)
        self.boxes.append(box)
        self.silhouettes.append(self._cut_out(mask, box))

    def expected_box(self, frame: int) -> Boxes:
        """Where the person would be now, going on as they went."""
        if len(self.boxes) < 2:
            return self.boxes[-1]
        back = max(-5, -len(self.boxes))
        steps = self.frames[-1] - self.frames[back]
        velocity = (_middle(self.boxes[-1]) - _middle(self.boxes[back])) / max(steps, 1)
        return np.asarray(self.boxes[-1] + np.tile(velocity, 2) * (frame - self.frames[-1]))

    def moved(self) -> float:
        """How far they came, in heights of their own."""
        heights = [box[3] - box[1] for box in self.boxes]
        return float(np.linalg.norm(_middle(self.boxes[-1]) - _middle(self.boxes[0])) / np.median(heights))

    def _cut_out(self, mask: Silhouettes, box: Boxes) -> Silhouettes:
        canvas = np.zeros(CANVAS, bool)
        x1, y1, x2, y2 = (int(value) for value in np.round(box))
        height, width = mask.shape
        if x1 <= 0 or y1 <= 0 or x2 >= width or y2 >= height:
            return canvas
        usual = float(np.median([seen[3] - seen[1] for seen in self.boxes[-NEIGHBOURS:]]))
        rows, columns = (max(1, round(side * BODY_ROWS / usual)) for side in (y2 - y1, x2 - x1))
        body = cv2.resize(mask[y1:y2, x1:x2].astype(np.uint8), (columns, rows), interpolation=cv2.INTER_AREA)
        top, left = CANVAS[0] - MARGIN - rows, (CANVAS[1] - columns) // 2
        if top < MARGIN or left < MARGIN:
            return canvas
        canvas[top : top + rows, left : left + columns] = body > 0
        return canvas


class Tracker:
    """Follows persons by the overlap of their boxes from frame to frame.

    Args:
        min_overlap: intersection over union from which a box belongs to a track.
        patience: frames after which a person who is not found is gone.
        max_frames: sightings after which a track is ended, so that nobody fills the memory.
        max_persons: followed at once; others wait until somebody is gone.
    """

    def __init__(
        self, min_overlap: float = 0.2, patience: int = 10, max_frames: int = 300, max_persons: int = 32
    ) -> None:
        self._min_overlap, self._patience = min_overlap, patience
        self._max_frames, self._max_persons = max_frames, max_persons
        self._tracks: list[Track] = []
        self._started = 0

    def update(self, frame: int, boxes: NDArray[np.floating], mask: Silhouettes) -> list[Track]:
        """Follow everybody into the next frame.

        Args:
            frame: its number, rising.
            boxes: (N, 4) of the persons in it.
            mask: (H, W) its foreground.

        Returns:
            Tracks that have ended.
        """
        found = [np.asarray(box, np.float64) for box in boxes]
        for track, index in self._matches(frame, found):
            track.add(frame, found[index], mask)
            found[index] = np.zeros(0)
        for box in (box for box in found if box.size):
            if len(self._tracks) < self._max_persons:
                self._started += 1
                track = Track(self._started)
                track.add(frame, box, mask)
                self._tracks.append(track)
        ended = [track for track in self._tracks if self._is_over(track, frame)]
        self._tracks = [track for track in self._tracks if not self._is_over(track, frame)]
        return ended

    def finish(self) -> list[Track]:
        """End all tracks and return them."""
        ended, self._tracks = self._tracks, []
        return ended

    def _is_over(self, track: Track, frame: int) -> bool:
        return frame - track.frames[-1] > self._patience or len(track.frames) >= self._max_frames

    def _matches(self, frame: int, boxes: list[Boxes]) -> list[tuple[Track, int]]:
        """Tracks and the boxes that go on with them, the greatest overlaps first."""
        if not self._tracks or not boxes:
            return []
        expected = np.stack([track.expected_box(frame) for track in self._tracks])
        overlaps = _overlaps(expected, np.stack(boxes))
        matches = []
        while overlaps.max() >= self._min_overlap:
            row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
            matches.append((self._tracks[row], int(column)))
            overlaps[row, :] = overlaps[:, column] = 0
        return matches


def _middle(box: Boxes) -> Boxes:
    return np.asarray((box[:2] + box[2:]) / 2)


def _overlaps(a: Boxes, b: Boxes) -> Boxes:
    """Intersection over union (A, B) of two sets of boxes."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9))
