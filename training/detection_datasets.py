"""Reading annotated persons: MOTChallenge sequences, videos with MOT boxes, and Penn-Fudan photographs."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset_files import require, require_pictures
from training.pose_datasets import read_picture

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
VIDEO_ENDINGS = (".avi", ".mp4", ".mkv", ".mov", ".webm")
TRUTH_ENDING = ".gt.txt"
PENN_FUDAN_BOX = re.compile(r"\((\d+), *(\d+)\) *- *\((\d+), *(\d+)\)")


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and the persons in it.

    Attributes:
        image: RGB (H, W, 3).
        boxes: (N, 4) x1, y1, x2, y2 in image pixels, cut to the picture.
    """

    image: Image
    boxes: FloatArray


@dataclass(frozen=True)
class DetectionSet:
    """Pictures in which every person is annotated.

    Attributes:
        name: for tables.
        source: what was read, for reports.
        is_video: the pictures follow one another, as one camera saw them.
        pictures: reads them, in order; a new iterator each time.
    """

    name: str
    source: str
    is_video: bool
    pictures: Callable[[], Iterator[LabelledPicture]]


def find_detection_sets(path: Path) -> list[DetectionSet]:
    """The data sets of a folder, or that of a video file.

    Layouts: videos with MOT boxes beside them (NAME.avi, NAME.gt.txt); a MOTChallenge sequence (img1, gt/gt.txt);
    Penn-Fudan (PNGImages, and the boxes of Annotation or, without it, those around the masks of PedMasks).

    Raises:
        ValueError: the layout is none of these, or something in it is missing; the message says what.
    """
    if path.is_file():
        return [_video(path)]
    if (path / "PNGImages").is_dir():
        return [_penn_fudan(path)]
    if (path / "img1").is_dir():
        return [_sequence(path)]
    videos = sorted(video for video in path.glob("*") if video.suffix in VIDEO_ENDINGS and _truth_of(video).is_file())
    if not videos:
        raise ValueError(f"{path} has no PNGImages, no img1, and no video NAME.avi or .mp4 with NAME{TRUTH_ENDING}")
    return [_video(video) for video in videos]


def read_mot_boxes(path: Path) -> dict[int, FloatArray]:
    """The boxes (N, 4) of a MOTChallenge ground truth by frame, which are counted from 1.

    Lines are frame, id, x, y, width, height, flag and more; those whose flag is 0 are not to be found.

    Raises:
        ValueError: a line is of another form.
    """
    frames: dict[int, list[tuple[float, ...]]] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            frame, _, x, y, width, height, flag = (float(value) for value in line.split(",")[:7])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {line[:80]!r} is not frame,id,x,y,width,height,flag") from error
        if flag:
            # MOTChallenge counts pixels from 1 too.
            frames.setdefault(int(frame), []).append((x - 1, y - 1, x - 1 + width, y - 1 + height))
    return {frame: np.array(boxes) for frame, boxes in frames.items()}


def read_penn_fudan_boxes(path: Path) -> FloatArray:
    """The boxes (N, 4) of one of Penn-Fudan's annotations, whose corners are counted from 1 and inclusive."""
    lines = [line for line in path.read_text(encoding="latin-1").splitlines() if line.startswith("Bounding box")]
    corners = [found.groups() for line in lines if (found := PENN_FUDAN_BOX.search(line))]
    first_pixel = np.array([1, 1, 0, 0])
    return np.asarray(np.array(corners, np.float64).reshape(-1, 4) - first_pixel)


def mask_boxes(mask: NDArray[np.integer]) -> FloatArray:
    """The boxes (N, 4) around the persons of a mask (H, W) that holds 0 for the background and k for person k."""
    boxes = []
    for person in np.unique(mask[mask > 0]):
        y, x = np.nonzero(mask == person)
        boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
    return np.array(boxes, np.float64).reshape(-1, 4)


def read_frames(path: Path) -> Iterator[Image]:
    """The frames of a video, RGB (H, W, 3).

    Raises:
        ValueError: it cannot be read.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise ValueError(f"{path} is not a video that can be read")
        while (frame := capture.read())[0]:
            yield np.asarray(cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


def _truth_of(video: Path) -> Path:
    return video.with_name(f"{video.stem}{TRUTH_ENDING}")


def _video(path: Path) -> DetectionSet:
    truth = read_mot_boxes(require(_truth_of(path), "a video with MOT boxes"))
    return DetectionSet(path.stem, path.name, True, lambda: _labelled(read_frames(path), truth))


def _sequence(root: Path) -> DetectionSet:
    truth = read_mot_boxes(require(root / "gt" / "gt.txt", "MOTChallenge"))
    paths = [root / "img1" / f"{frame:06}.jpg" for frame in range(1, max(truth, default=0) + 1)]
    require_pictures(paths)
    name = root.resolve().name
    return DetectionSet(name, f"{name}/img1", True, lambda: _labelled(map(read_picture, paths), truth))


def _labelled(frames: Iterator[Image], truth: dict[int, FloatArray]) -> Iterator[LabelledPicture]:
    for number, image in enumerate(frames, start=1):
        yield _cut(image, truth.get(number, np.zeros((0, 4))))


def _penn_fudan(root: Path) -> DetectionSet:
    folder = "Annotation" if (root / "Annotation").is_dir() else "PedMasks"
    pictures = sorted((root / "PNGImages").glob("*.png"))
    ending = ".txt" if folder == "Annotation" else "_mask.png"
    truths = [require(root / folder / f"{picture.stem}{ending}", "Penn-Fudan") for picture in pictures]
    read = read_penn_fudan_boxes if folder == "Annotation" else _read_mask_boxes

    def labelled() -> Iterator[LabelledPicture]:
        for picture, truth in zip(pictures, truths, strict=True):
            yield _cut(read_picture(picture), read(truth))

    return DetectionSet(root.resolve().name, f"{len(pictures)} photographs, boxes of {folder}", False, labelled)


def _read_mask_boxes(path: Path) -> FloatArray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2:
        raise ValueError(f"{path} is not a mask that can be read")
    return mask_boxes(np.asarray(mask))


def _cut(image: Image, boxes: FloatArray) -> LabelledPicture:
    height, width = image.shape[:2]
    return LabelledPicture(image, boxes.clip(0, [width, height, width, height]))
