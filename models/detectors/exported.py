"""Person detectors that come as an ONNX or OpenVINO file."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detectors.base import Detections, DetectorError, Image, detections_within
from models.detectors.descriptor import Descriptor
from models.detectors.nms import suppress
from models.detectors.runtimes import Forward, load_exported

GREY = 114
SSD_COLUMNS = 7
YOLO_AXES = 3
YOLO_BOX = 4


@dataclass(frozen=True)
class ExportedDetector:
    """Finds persons with an exported network.

    Attributes:
        descriptor: how it sees and answers.
        min_score: persons below are left out.

    Raises:
        DetectorError: the file cannot be opened; see `load_exported`.
    """

    descriptor: Descriptor
    min_score: float
    _forward: Forward = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_forward", load_exported(self.descriptor.file))

    def detect(self, image: Image) -> Detections:
        """Find the persons in an RGB image (H, W, 3).

        Raises:
            DetectorError: the network's answer is not of the form that its descriptor says.
        """
        size = image.shape[0], image.shape[1]
        view, scale = see(image, self.descriptor)
        boxes, scores = persons_of(self._forward(view), self.descriptor)
        sure = scores >= self.min_score
        boxes, scores = boxes[sure] * np.tile(scale, 2), scores[sure]
        kept = suppress(boxes, scores, self.descriptor.max_iou)
        return detections_within(boxes[kept], scores[kept], size)


def see(image: Image, descriptor: Descriptor) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """An image as the network wants it, (1, 3, H, W) or (1, H, W, 3), and image pixels per input pixel in x and y."""
    height, width = descriptor.input_size
    factors = width / image.shape[1], height / image.shape[0]
    if descriptor.resize == "letterbox":
        factors = min(factors), min(factors)
    within = tuple(max(1, round(side * factor)) for side, factor in zip(image.shape[1::-1], factors, strict=True))
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[: within[1], : within[0]] = cv2.resize(image, within, interpolation=cv2.INTER_LINEAR)
    colours = canvas if descriptor.channels == "RGB" else canvas[..., ::-1]
    mean, std = np.array(descriptor.mean, np.float32), np.array(descriptor.std, np.float32)
    values = (colours * np.float32(descriptor.scale) - mean) / std
    batch = (values if descriptor.layout == "NHWC" else values.transpose(2, 0, 1))[None]
    return np.ascontiguousarray(batch), np.array(image.shape[1::-1]) / within


def persons_of(answer: NDArray[np.float32], descriptor: Descriptor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boxes (N, 4) in input pixels and scores (N,) of the persons in a network's answer.

    Raises:
        DetectorError: the answer is not of the form that the descriptor says.
    """
    decode = _ssd if descriptor.output == "ssd" else _yolo
    boxes, scores = decode(answer, descriptor)
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    return boxes[sound], scores[sound]


def _ssd(answer: NDArray[np.float32], descriptor: Descriptor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if answer.size % SSD_COLUMNS or answer.shape[-1] != SSD_COLUMNS:
        raise DetectorError(f"{descriptor.file.name} answers {answer.shape}; ssd has rows of {SSD_COLUMNS} numbers")
    rows = answer.reshape(-1, SSD_COLUMNS).astype(np.float64)
    # After the last detection the rest of the table may be anything; a negative image marks its end.
    used = np.logical_and.accumulate(rows[:, 0] >= 0)
    persons = rows[used & (rows[:, 1] == descriptor.person)]
    height, width = descriptor.input_size
    return persons[:, 3:] * np.array([width, height, width, height]), persons[:, 2]


def _yolo(answer: NDArray[np.float32], descriptor: Descriptor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    has_objectness = descriptor.output == "yolov5"
    first_class = YOLO_BOX + has_objectness
    if answer.ndim != YOLO_AXES or answer.shape[2 if has_objectness else 1] <= first_class + descriptor.person:
        raise DetectorError(f"{descriptor.file.name} answers {answer.shape}, which is not {descriptor.output}")
    rows = np.asarray(answer[0] if has_objectness else answer[0].T, np.float64)
    classes = rows[:, first_class:]
    # A row stands for one thing, so it is a person only where no other class is likelier.
    persons = classes.argmax(axis=1) == descriptor.person
    center, half = rows[persons, :2], rows[persons, 2:YOLO_BOX] / 2
    scores = classes[persons, descriptor.person] * (rows[persons, YOLO_BOX] if has_objectness else 1)
    return np.column_stack((center - half, center + half)), scores
