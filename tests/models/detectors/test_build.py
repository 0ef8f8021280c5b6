"""Detectors by name."""

from pathlib import Path

import pytest

from models.detectors.base import DetectorError
from models.detectors.build import create_detector, default_min_score
from models.detectors.hog import HogDetector


def test_the_default_needs_no_file() -> None:
    assert create_detector() == HogDetector()
    assert create_detector("hog", min_score=0.7) == HogDetector(0.7)


def test_an_unknown_name_lists_those_that_are_known() -> None:
    with pytest.raises(DetectorError, match="no detector 'yolo'; choose from hog, exported"):
        create_detector("yolo")


def test_a_descriptor_and_the_name_exported_belong_together(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="needs a descriptor"):
        create_detector("exported")
    with pytest.raises(DetectorError, match="no other"):
        create_detector("hog", tmp_path / "detector.toml")


def test_a_descriptor_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"detector\.toml cannot be read"):
        create_detector("exported", tmp_path / "detector.toml")


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"manifest\.toml"):
        create_detector("ssdlite320-coco", weights_dir=tmp_path)


def test_every_kind_has_a_threshold_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "detector.toml"
    path.write_text('file = "a.onnx"\ninput_size = [1, 2]\nperson = 1\noutput = "ssd"\nmin_score = 0.3')

    assert (default_min_score("hog"), default_min_score("other")) == (HogDetector().min_score, 0.5)
    assert default_min_score("exported", path) == 0.3
