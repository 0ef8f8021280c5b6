import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.keypoints import LSP_14, SKELETONS, Skeleton
from models.quality import ENOUGH, Visibility, visibility

SIZE = (256, 128)
ALL = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


def standing(skeleton: Skeleton) -> NDArray[np.float64]:
    """Somebody well inside the crop."""
    return np.random.default_rng(0).uniform([20, 20], [108, 236], (len(skeleton), 2))


@ALL
def test_one_whole_person_is_perfect(skeleton: Skeleton) -> None:
    assert visibility(standing(skeleton), np.ones(len(skeleton)), skeleton, SIZE) == Visibility(1.0, ())


@ALL
def test_hidden_legs_cost_most_of_their_share_and_are_told(skeleton: Skeleton) -> None:
    legs = [index for index, name in enumerate(skeleton.keypoints) if name.endswith(("knee", "ankle"))]
    scores = np.ones(len(skeleton))
    scores[legs] = 0

    judged = visibility(standing(skeleton), scores, skeleton, SIZE)

    assert judged.reasons == ("legs_hidden",)
    assert judged.score == pytest.approx(1 - 0.4 * 4 / 6, abs=1e-3)


def test_what_is_seen_unsurely_counts_in_proportion() -> None:
    judged = visibility(standing(LSP_14), np.full(14, 0.3), LSP_14, SIZE)

    assert judged == Visibility(0.75, ())


def test_faint_traces_are_nobody() -> None:
    scores = np.full(14, 0.08)
    scores[LSP_14.keypoints.index("left_hip")] = 0.3

    judged = visibility(standing(LSP_14), scores, LSP_14, SIZE)

    assert judged.reasons == ("no_person",)
    assert 0 < judged.score < 0.3


@ALL
def test_a_person_beyond_the_border_is_cut_off(skeleton: Skeleton) -> None:
    points = standing(skeleton)
    points[skeleton.keypoints.index("left_ankle")] = (60, 300)
    points[skeleton.keypoints.index("right_ankle")] = (60, 255)

    judged = visibility(points, np.ones(len(skeleton)), skeleton, SIZE)

    assert judged.reasons == ("cut_off",)
    assert judged.score == pytest.approx(0.8 * (1 - 0.4 / 6), abs=1e-3)


def test_a_head_that_touches_the_top_is_not_cut_off() -> None:
    points = standing(LSP_14)
    points[LSP_14.keypoints.index("head_top")] = (60, 1)

    assert visibility(points, np.ones(14), LSP_14, SIZE) == Visibility(1.0, ())


def test_company_halves_the_score() -> None:
    judged = visibility(standing(LSP_14), np.ones(14), LSP_14, SIZE, persons=2)

    assert judged == Visibility(0.5, ("several_people",))


@pytest.mark.parametrize(("height", "persons"), [(0.0, 1), (1.0, 0)])
def test_nobody_is_nothing(height: float, persons: int) -> None:
    judged = visibility(standing(LSP_14), np.full(14, height), LSP_14, SIZE, persons)

    assert judged == Visibility(0.0, ("no_person",))


@given(scores=st.lists(st.floats(0, 1), min_size=14, max_size=14), lost=st.integers(0, 13), persons=st.integers(0, 3))
def test_seeing_less_never_raises_the_score(scores: list[float], lost: int, persons: int) -> None:
    fewer = np.array(scores)
    fewer[lost] = 0

    before = visibility(standing(LSP_14), np.array(scores), LSP_14, SIZE, persons)
    after = visibility(standing(LSP_14), fewer, LSP_14, SIZE, persons)

    assert 0 <= after.score <= before.score <= 1
    assert after.reasons or after.score >= ENOUGH
