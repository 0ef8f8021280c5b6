import numpy as np
import pytest
from numpy.typing import NDArray

from models.gait.steadiness import SteadinessMeter
from models.gait.tracking import Track, Tracker

Boxes = NDArray[np.float64]


def box(x: float, y: float = 40.0) -> list[float]:
    return [x, y, x + 20, y + 50]


def follow(tracker: Tracker, boxes: list[list[list[float]]]) -> list[Track]:
    mask = np.ones((120, 400), bool)
    ended = []
    for frame, found in enumerate(boxes):
        ended += tracker.update(frame, np.array(found, np.float64).reshape(-1, 4), mask)
    return sorted(ended + tracker.finish(), key=lambda track: track.number)


def test_two_people_who_pass_each_other_keep_their_tracks() -> None:
    tracks = follow(Tracker(), [[box(20 + 6 * t, 20), box(300 - 6 * t, 50)] for t in range(40)])

    assert [len(track.frames) for track in tracks] == [40, 40]
    assert [track.boxes[-1][0] for track in tracks] == [20 + 6 * 39, 300 - 6 * 39]


def test_a_person_who_is_not_found_for_some_frames_goes_on() -> None:
    (track,) = follow(Tracker(patience=10), [[] if 10 <= t < 18 else [box(20 + 4 * t)] for t in range(40)])

    assert track.frames == [*range(10), *range(18, 40)]


def test_a_person_who_is_gone_for_long_comes_back_as_somebody_else() -> None:
    tracks = follow(Tracker(patience=5), [[] if 10 <= t < 30 else [box(40)] for t in range(40)])

    assert [track.frames for track in tracks] == [[*range(10)], [*range(30, 40)]]


def test_silhouettes_cut_off_by_the_border_are_empty() -> None:
    (track,) = follow(Tracker(), [[box(max(0, 6 * t - 12))] for t in range(12)])

    assert [silhouette.any() for silhouette in track.silhouettes] == [False] * 3 + [True] * 9


def test_tracks_and_people_are_bounded() -> None:
    boxes = [[box(30 * person, 30) for person in range(1, 11)] for _ in range(50)]

    tracks = follow(Tracker(max_frames=20, max_persons=4), boxes)

    assert max(len(track.frames) for track in tracks) == 20
    assert len([track for track in tracks if 0 in track.frames]) == 4


@pytest.mark.parametrize(("step", "moves"), [(0, False), (6, True)])
def test_a_camera_that_pans_is_noticed(step: int, moves: bool) -> None:
    rng = np.random.default_rng(1)
    scene = np.kron(rng.integers(0, 256, (30, 80, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    meter = SteadinessMeter()

    for frame in range(20):
        meter.update(np.ascontiguousarray(scene[:, step * frame : step * frame + 320]))

    assert meter.camera_moves == moves
