from pathlib import Path

import numpy as np
import pytest

from benchmarks.gait import one_by_one
from benchmarks.gait_video import on_videos, videos
from models.gait.gei import gait_energy_image
from tests.models.gait.walkers import walker


def test_the_loop_that_is_measured_against_makes_the_same_image() -> None:
    walk = walker(frames=48, size=(240, 352))

    assert np.abs(one_by_one(walk) - gait_energy_image(walk).image).mean() < 0.03


def test_videos_that_are_not_here_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAITKEEPER_BENCH_VIDEOS", str(tmp_path / "door.mp4"))

    assert videos() == [tmp_path / "door.mp4"]
    assert [line.split(",")[0] for line in on_videos()] == ["door.mp4 is not here"]
