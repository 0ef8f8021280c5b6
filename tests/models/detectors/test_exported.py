"""Detectors that come as files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from numpy.typing import NDArray

from models.detectors.base import DetectorError, PersonDetector
from models.detectors.build import create_detector
from models.detectors.descriptor import Descriptor, read_descriptor
from models.detectors.exported import persons_of, see
from tests.models.detectors.figures import scene
from tests.models.detectors.networks import write_onnx, write_openvino
from training.detection_datasets import find_detection_sets
from training.detection_evaluation import score_detections

SSD = np.array(
    [[[[0, 1, 0.9, 0.1, 0.2, 0.3, 0.8], [0, 2, 0.8, 0, 0, 1, 1], [0, 1, 0.3, 0.5, 0.5, 0.6, 0.9], [-1] + 6 * [0]]]],
    np.float32,
)
INPUT = (1, 3, 50, 100)


def descriptor(**changes: Any) -> Descriptor:  # noqa: ANN401
    values: dict[str, Any] = {"file": Path("net.onnx"), "input_size": (50, 100), "output": "ssd", "person": 1}
    return Descriptor(**(values | changes))


def open_detector(network: Path, min_score: float | None = None, **changes: object) -> PersonDetector:
    values = {"file": network.name, "input_size": [50, 100], "output": "ssd", "person": 1, **changes}
    path = network.with_name("detector.toml")
    path.write_text(tomli_w.dumps(values))
    return create_detector("exported", path, min_score)


@pytest.mark.parametrize(
    ("write", "name"), [(write_onnx, "net.onnx"), (write_openvino, "net.xml")], ids=["onnx", "openvino"]
)
def test_persons_come_in_image_pixels_from_either_kind_of_file(tmp_path: Path, write: Any, name: str) -> None:  # noqa: ANN401
    detector = open_detector(write(tmp_path / name, SSD, INPUT))
    black = np.zeros((100, 300, 3), np.uint8)

    found = detector.detect(black)

    assert np.allclose(found.boxes, [[30, 20, 90, 80]], atol=1e-3)
    assert np.allclose(found.scores, [0.9])


def test_another_threshold_wins_over_the_descriptor(tmp_path: Path) -> None:
    network = write_onnx(tmp_path / "net.onnx", SSD, INPUT)

    assert len(open_detector(network, min_score=0.2).detect(scene())) == 2


def test_threads_share_a_detector(tmp_path: Path) -> None:
    detector = open_detector(write_openvino(tmp_path / "net.xml", SSD, INPUT), min_score=0.1)

    def lowest_score(level: int) -> float:
        return float(detector.detect(np.full((50, 100, 3), level % 4, np.uint8)).scores[-1])

    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lowest_score, range(40)))

    assert np.allclose(scores, [0.3 + level % 4 for level in range(40)], atol=1e-3)


def test_the_network_sees_its_colours_scale_and_axes() -> None:
    image = np.full((10, 20, 3), (255, 0, 51), np.uint8)

    blue_first, _ = see(image, descriptor(channels="BGR", scale=1 / 255, mean=(0.2, 0, 0.5), std=(1, 1, 0.5)))
    last_axis, _ = see(image, descriptor(layout="NHWC"))

    assert (blue_first.shape, last_axis.shape) == ((1, 3, 50, 100), (1, 50, 100, 3))
    assert np.allclose(blue_first[0, :, 25, 50], [0, 0, 1], atol=1e-6)
    assert last_axis[0, 25, 50].tolist() == [255, 0, 51]


def test_a_letterboxed_picture_keeps_its_shape() -> None:
    image = np.zeros((100, 100, 3), np.uint8)

    seen, scale = see(image, descriptor(resize="letterbox"))

    assert scale.tolist() == [2, 2]
    assert seen[0, 0, :, :50].max() == 0
    assert seen[0, 0, :, 50:].min() == 114


def yolo(rows: list[list[float]]) -> NDArray[np.float32]:
    return np.array([rows], np.float32)


def test_yolov5_multiplies_objectness_and_drops_other_classes() -> None:
    answer = yolo([[20, 30, 10, 20, 0.5, 0.8, 0.1], [50, 30, 10, 20, 0.9, 0.2, 0.7]])

    boxes, scores = persons_of(answer, descriptor(output="yolov5", person=0))

    assert boxes.tolist() == [[15, 20, 25, 40]]
    assert np.allclose(scores, [0.4])


def test_yolov8_has_its_rows_across() -> None:
    answer = np.swapaxes(yolo([[20, 30, 10, 20, 0.8, 0.1], [50, 30, 10, 20, 0.2, 0.7]]), 1, 2)

    boxes, scores = persons_of(answer, descriptor(output="yolov8", person=0))

    assert boxes.tolist() == [[15, 20, 25, 40]]
    assert np.allclose(scores, [0.8])


def test_rows_after_the_end_of_an_ssd_table_do_not_count() -> None:
    answer = np.array([[0, 1, 0.9, 0, 0, 1, 1], [-1, 0, 0, 0, 0, 0, 0], [0, 1, 0.9, 0, 0, 1, 1]], np.float32)

    assert len(persons_of(answer, descriptor())[1]) == 1


def test_numbers_that_are_not_finite_are_no_persons() -> None:
    answer = np.array([[0, 1, np.nan, 0, 0, 1, 1], [0, 1, 0.9, 0, np.inf, 1, 1]], np.float32)

    assert len(persons_of(answer, descriptor())[1]) == 0


@pytest.mark.parametrize(
    ("output", "shape"), [("ssd", (1, 5, 6)), ("yolov5", (1, 9, 5)), ("yolov8", (1, 4, 9)), ("yolov8", (9, 5))]
)
def test_an_answer_of_another_form_is_refused(output: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorError, match=r"net\.onnx answers"):
        persons_of(np.zeros(shape, np.float32), descriptor(output=output))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file = ", "is not TOML"),
        ('file = "a.onnx"\ncolour = "red"', "unknown key colour"),
        ('output = "ssd"', "lacks file"),
        ('file = "a.onnx"\noutput = "ssd"\nperson = 1', "input_size"),
        ('file = "a.onnx"\ninput_size = [1, 2]\nperson = 1\noutput = "boxes"', "output must be one of ssd"),
        ('file = "a.onnx"\ninput_size = [100]\nperson = 1\noutput = "ssd"', r"input_size must be \[height"),
        ('file = "a.onnx"\ninput_size = [1, 2]\nperson = 1\noutput = "ssd"\nstd = [1, 0, 1]', "std no zero"),
        ('file = "a.onnx"\ninput_size = [1, 2]\nperson = 1\noutput = "ssd"\nmax_iou = 2', "between 0 and 1"),
    ],
    ids=["no TOML", "unknown", "no file", "no size", "output", "size", "std", "max_iou"],
)
def test_a_wrong_descriptor_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "detector.toml").write_text(text)

    with pytest.raises(DetectorError, match=message):
        read_descriptor(tmp_path / "detector.toml")


@pytest.mark.parametrize(
    ("name", "message"),
    [("net.pt", "neither ONNX"), ("gone.onnx", "is missing"), ("net.onnx", "cannot be opened"), ("net.xml", "cannot")],
)
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, name: str, message: str) -> None:
    for broken in ("net.pt", "net.onnx", "net.xml"):
        (tmp_path / broken).write_text("no network")

    with pytest.raises(DetectorError, match=message):
        open_detector(tmp_path / name)


@pytest.mark.shared
def test_a_real_openvino_detector_finds_people_in_photographs(shared: Path, tmp_path: Path) -> None:
    network = shared / "weights-real" / "omz-person-detection-0013" / "person-detection-retail-0013.xml"
    values = {"file": str(network), "input_size": [320, 544], "channels": "BGR", "output": "ssd", "person": 1}
    (tmp_path / "detector.toml").write_text(tomli_w.dumps(values))
    detector = create_detector("exported", tmp_path / "detector.toml")
    (data,) = find_detection_sets(shared / "data" / "video" / "TUD-Campus.mp4")
    picture = next(data.pictures())

    scores = score_detections([detector.detect(picture.image)], [picture.boxes], 0.5)

    assert scores.recall > 0.7
    assert scores.precision > 0.7
