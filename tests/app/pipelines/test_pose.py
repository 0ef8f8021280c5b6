"""The pose pipeline with a small network and a detector that knows its answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from app.engine.batcher import OverloadedError
from app.engine.served import Capacity, ServedNetwork, serving
from app.errors import INVALID_BOX, UNDECODABLE, UNKNOWN_MODEL, ProblemError
from app.images import ImageLimits
from app.pipelines.pose import PosedImage, PoseOptions, PosePipeline
from models.checkpoint import Checkpoint, CheckpointError, Preprocessing
from models.detectors.base import Detections
from models.golden import golden_input
from models.keypoints import LSP_14
from models.pose_systems import HOURGLASS
from models.predictors.pose import PoseEstimator
from models.transforms import Normalisation
from tests.app.pictures import encode

PREPROCESSING = Preprocessing((64, 64), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), flip=True)
CHECKPOINT = Checkpoint("tiny", "pose", "hourglass_bearpaw", PREPROCESSING, "tiny.safetensors", "", "here", "CC0", True)
CAPACITY = Capacity(torch.device("cpu"), threads=0, max_batch=32, max_waiting=1000)
BOX = [20.0, 10.0, 60.0, 90.0]
NO_FLIP = PoseOptions(flip_test=False)


class Brightest(nn.Module):
    """Finds every keypoint where the picture is brightest, and remembers the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        maps = nn.functional.avg_pool2d(batch, 4)
        return maps[:, :1].expand(-1, len(LSP_14), -1, -1)


class Known:
    """A detector that always finds the same boxes."""

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self.found = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))
        self.sizes: list[tuple[int, ...]] = []

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        self.sizes.append(image.shape)
        return self.found


def spot(x: float, y: float, height: int = 100, width: int = 80) -> NDArray[np.uint8]:
    """A dark picture with one soft bright spot."""
    rows, columns = np.mgrid[0:height, 0:width]
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / (0.06 * height) ** 2)
    return np.repeat(np.round(255 * light).astype(np.uint8)[:, :, None], 3, axis=2)


TWO_SPOTS = encode(np.maximum(spot(30, 50, width=160), spot(130, 50, width=160)))


@asynccontextmanager
async def opened(
    network: Brightest, detector: Known, max_waiting: int = 100, in_progress: int = 8
) -> AsyncIterator[tuple[PosePipeline, ServedNetwork[PoseEstimator]]]:
    estimator = PoseEstimator(network, HOURGLASS, LSP_14, PREPROCESSING.size, PREPROCESSING.normalisation)
    golden = estimator.forward(golden_input(PREPROCESSING)[None])[0].numpy()
    network.sizes.clear()
    with ThreadPoolExecutor(2) as workers:
        async with serving(CHECKPOINT, estimator, golden, CAPACITY) as served:
            network.sizes.clear()
            yield PosePipeline({"tiny": served}, detector, workers, ImageLimits(), max_waiting, in_progress), served


def ask(
    files: Sequence[bytes],
    boxes: Sequence[NDArray[np.float64] | None] = (None,),
    options: PoseOptions = NO_FLIP,
    detector: Known | None = None,
    network: Brightest | None = None,
) -> list[PosedImage | ProblemError]:
    """What the pipeline finds in pictures."""

    async def run() -> list[PosedImage | ProblemError]:
        async with opened(network or Brightest(), detector or Known([], [])) as (pipeline, served):
            return (await pipeline.find(served, files, boxes, options)).items

    return asyncio.run(run())


def persons(item: PosedImage | ProblemError) -> PosedImage:
    assert isinstance(item, PosedImage)
    return item


def problem(item: PosedImage | ProblemError) -> ProblemError:
    assert isinstance(item, ProblemError)
    return item


@pytest.mark.parametrize("flip", [False, True])
def test_keypoints_are_in_pixels_of_the_picture(flip: bool) -> None:
    (item,) = ask([encode(spot(42.3, 51.7))], [np.array([BOX])], PoseOptions(flip_test=flip))

    (pose,) = persons(item).poses
    assert pose.points == pytest.approx(np.tile([42.3, 51.7], (14, 1)), abs=0.3)
    assert persons(item).size == (100, 80)


def test_detected_persons_are_answered_best_first_and_without_repeats() -> None:
    detector = Known([[110, 20, 150, 80], [10, 20, 50, 80], [10, 21, 50, 81]], [0.7, 0.9, 0.8])

    (item,) = ask([TWO_SPOTS], detector=detector)

    assert [pose.box.tolist() for pose in persons(item).poses] == [[10, 20, 50, 80], [110, 20, 150, 80]]


def test_given_boxes_are_all_answered_in_their_order() -> None:
    boxes = np.array([[0, 0, 70, 40], BOX, BOX])

    (item,) = ask([encode(spot(40, 50))], [boxes], PoseOptions(flip_test=False, max_persons=1))

    assert np.stack([pose.box for pose in persons(item).poses]) == pytest.approx(boxes)


def test_no_more_than_the_wanted_number_of_found_persons_is_looked_at() -> None:
    network = Brightest()
    detector = Known([[10, 20, 50, 80], [110, 20, 150, 80], [40, 20, 100, 80]], [0.9, 0.8, 0.7])

    (item,) = ask([TWO_SPOTS], options=replace(NO_FLIP, max_persons=2), detector=detector, network=network)

    assert [pose.box[0] for pose in persons(item).poses] == [10, 110]
    assert network.sizes == [2]


def test_unsure_persons_are_left_out_on_demand() -> None:
    detector = Known([BOX, [0, 0, 30, 60]], [0.9, 0.2])

    (item,) = ask([encode(spot(40, 50))], options=replace(NO_FLIP, min_score=0.5), detector=detector)

    assert len(persons(item).poses) == 1


@pytest.mark.parametrize(("min_score", "answered"), [(None, 1), (0.0, 2)])
def test_hopeless_finds_are_left_out_unless_asked_for(min_score: float | None, answered: int) -> None:
    detector = Known([[10, 20, 50, 80], [110, 20, 150, 80]], [0.9, 0.15])

    (item,) = ask([TWO_SPOTS], options=replace(NO_FLIP, min_score=min_score), detector=detector)

    assert len(persons(item).poses) == answered


def test_a_given_box_is_answered_though_nobody_is_in_it() -> None:
    (item,) = ask([encode(np.zeros((100, 80, 3), np.uint8))], [np.array([BOX])], NO_FLIP)

    assert [pose.score for pose in persons(item).poses] == [0]


def test_nobody_found_is_an_answer() -> None:
    (item,) = ask([encode(spot(40, 50))])

    assert persons(item).poses == []


def test_all_people_of_a_picture_run_as_one_batch_with_their_mirrored_crops() -> None:
    network = Brightest()

    ask([encode(spot(40, 50))], [np.array([BOX] * 7)], PoseOptions(flip_test=True), network=network)

    (size,) = network.sizes
    assert size >= 14


def test_the_checkpoint_says_whether_mirrored_crops_are_taken() -> None:
    network = Brightest()

    ask([encode(spot(40, 50))], [np.array([BOX])], PoseOptions(), network=network)

    assert network.sizes == [2]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([10, 10, 10, 50], "is empty"),
        ([10, 50, 30, 10], "is empty"),
        ([80, 10, 120, 50], "outside the picture, which is 80 wide and 100 high"),
        ([-50, -50, 0, 0], "outside"),
        ([1e300, 0, 2e300, 5], "outside"),
    ],
)
def test_a_box_without_pixels_is_the_problem_of_its_picture_alone(box: list[float], reason: str) -> None:
    file = encode(spot(40, 50))

    bad, good = ask([file, file], [np.array([BOX, box]), np.array([BOX])])

    assert problem(bad).kind == INVALID_BOX
    assert "boxes[1]" in problem(bad).detail
    assert reason in problem(bad).detail
    assert len(persons(good).poses) == 1


def test_a_box_that_sticks_out_is_cut_at_the_border() -> None:
    (item,) = ask([encode(spot(40, 50))], [np.array([[-1e300, -5, 1e300, 60], [70.0, 90, 500, 200]])])

    assert np.stack([pose.box for pose in persons(item).poses]) == pytest.approx(
        np.array([[0, 0, 80, 60], [70, 90, 80, 100]])
    )


def test_a_bad_picture_fails_alone() -> None:
    first, second = ask([b"no picture", encode(spot(40, 50))], [None, None])

    assert problem(first).kind == UNDECODABLE
    assert persons(second).poses == []


def test_a_huge_picture_is_looked_at_smaller_and_answered_in_its_own_pixels() -> None:
    large = Image.fromarray(spot(123, 231, 500, 400)).resize((4000, 5000), Image.Resampling.BILINEAR)
    detector = Known([[400, 400, 900, 1900]], [0.9])
    file = encode(large, "JPEG", quality=90)

    found_there = ask([file], [np.array([[800.0, 800, 1800, 3800]])])
    detected = ask([file], detector=detector)

    assert detector.sizes == [(2500, 2000, 3)]
    for (item,) in (found_there, detected):
        (pose,) = persons(item).poses
        assert persons(item).size == (5000, 4000)
        assert pose.box == pytest.approx([800, 800, 1800, 3800])
        assert pose.points == pytest.approx(np.tile([1234.5, 2314.5], (14, 1)), abs=5)


def test_too_many_waiting_pictures_are_refused_at_once() -> None:
    async def run() -> None:
        async with opened(Brightest(), Known([], []), max_waiting=2) as (pipeline, served):
            await pipeline.find(served, [b"", b""], [None, None], NO_FLIP)
            with pytest.raises(OverloadedError):
                await pipeline.find(served, [b""] * 3, [None] * 3, NO_FLIP)

    asyncio.run(run())


def test_a_failing_network_is_told_and_leaves_nothing_waiting() -> None:
    class Broken(Brightest):
        def forward(self, batch: Tensor) -> Tensor:
            if len(batch) > 1 or batch.amax() > 0.99:
                return super().forward(batch)
            raise RuntimeError("broken")

    async def run() -> None:
        async with opened(Broken(), Known([BOX], [0.9]), max_waiting=1) as (pipeline, served):
            for _ in range(2):
                with pytest.raises(RuntimeError, match="broken"):
                    await pipeline.find(served, [encode(np.zeros((50, 50, 3), np.uint8))], [None], NO_FLIP)

    asyncio.run(run())


def test_an_unknown_model_is_told_with_those_that_are_there() -> None:
    async def run() -> None:
        async with opened(Brightest(), Known([], [])) as (pipeline, served):
            assert pipeline.network(None) is pipeline.network("tiny") is served
            with pytest.raises(ProblemError, match="served are tiny") as caught:
                pipeline.network("other")
            assert caught.value.kind == UNKNOWN_MODEL

    asyncio.run(run())


def test_without_any_model_it_is_told_how_to_get_one() -> None:
    with ThreadPoolExecutor(1) as workers:
        pipeline = PosePipeline({}, Known([], []), workers, ImageLimits(), 1, 1)

        with pytest.raises(ProblemError, match="weights pull"):
            pipeline.network(None)


def test_a_network_that_has_changed_is_not_served() -> None:
    async def run() -> None:
        network = Brightest()
        estimator = PoseEstimator(network, HOURGLASS, LSP_14, PREPROCESSING.size, Normalisation())
        other = np.random.default_rng(0).random((14, 16, 16)).astype(np.float32)
        with pytest.raises(CheckpointError, match="tiny does not reproduce its golden sample"):
            async with serving(CHECKPOINT, estimator, other, CAPACITY):
                pass

    asyncio.run(run())
