"""What a gallery's gate refuses: `python -m training.crop_visibility REID_DATA PICTURES…`.

Crops of whole people, their halves, and boxes of a person's shape in which there is none, each judged as enrolment
does. PICTURES are videos with MOT boxes, or photographs, as `gaitkeeper evaluate detection` takes them.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import load_network
from models.detectors.nms import intersections
from models.manifest import find_checkpoint
from models.predictors.pose import PoseEstimator, pose_estimator
from models.quality import ENOUGH, Visibility, visibility
from training.datasets import load_reid
from training.detection_datasets import find_detection_sets

MODEL = "hourglass-lspet-compact"
CROPS, BATCH = 600, 32
EVERY, TRIES = 20, 4
BOUNDS = (0.4, 0.5, ENOUGH, 0.7)

Image = NDArray[np.uint8]


def report(estimator: PoseEstimator, people: Sequence[Image], places: Mapping[str, Sequence[Image]]) -> Iterator[str]:
    """Yield the lines of the report: for each kind of crop, the share that falls below each bound."""
    kinds = {
        "whole people": people,
        "their upper halves": [crop[: len(crop) // 2] for crop in people],
        "their lower halves": [crop[len(crop) // 2 :] for crop in people],
        "their left halves": [np.ascontiguousarray(crop[:, : crop.shape[1] // 2]) for crop in people],
        **{f"nobody, {name}": crops for name, crops in places.items()},
    }
    yield "percent below " + ", ".join(f"{bound:g}" for bound in BOUNDS)
    for name, crops in kinds.items():
        scores = np.array([seen.score for seen in judge(estimator, crops)])
        shares = " ".join(f"{100 * (scores < bound).mean():6.1f}" for bound in BOUNDS)
        yield f"{name:24}{len(crops):5}{shares}"


@torch.inference_mode()
def judge(estimator: PoseEstimator, crops: Sequence[Image]) -> list[Visibility]:
    """How much of a person each crop (H, W, 3) shows, as enrolment judges it."""
    seen = []
    for start in range(0, len(crops), BATCH):
        some = crops[start : start + BATCH]
        boxes = np.array([[0, 0, crop.shape[1], crop.shape[0]] for crop in some], np.float64)
        batch = torch.stack([estimator.prepare(crop, box) for crop, box in zip(some, boxes, strict=True)])
        poses = estimator.finish(estimator.forward(batch), boxes, np.ones(len(some)))
        seen += [
            visibility(pose.points, pose.scores, estimator.skeleton, (crop.shape[0], crop.shape[1]))
            for pose, crop in zip(poses, some, strict=True)
        ]
    return seen


def empty_places(path: Path, seed: int = 0) -> dict[str, list[Image]]:
    """Boxes twice as high as wide, at random places of pictures, in which nobody is annotated."""
    chance, found = np.random.default_rng(seed), {}
    for data in find_detection_sets(path):
        crops = []
        for picture in islice(data.pictures(), 0, None, EVERY if data.is_video else 1):
            height, width = picture.image.shape[:2]
            for _ in range(TRIES):
                tall = int(chance.integers(height // 6, height // 3))
                x, y = int(chance.integers(0, width - tall // 2)), int(chance.integers(0, height - tall))
                box = np.array([[x, y, x + tall // 2, y + tall]])
                if not len(picture.boxes) or not intersections(box, picture.boxes).any():
                    crops.append(np.ascontiguousarray(picture.image[y : y + tall, x : x + tall // 2]))
        found[data.name] = crops
    return found


def main() -> None:
    """Print the report for the bundled network."""
    reid, *pictures = map(Path, sys.argv[1:])
    weights = Path("weights")
    checkpoint = find_checkpoint(MODEL, weights)
    estimator = pose_estimator(checkpoint, load_network(checkpoint, weights))
    people = load_reid(reid, "gallery").images
    some = np.random.default_rng(0).choice(len(people), min(CROPS, len(people)), replace=False)
    places = {name: crops for path in pictures for name, crops in empty_places(path).items()}
    for line in report(estimator, [people[index] for index in some], places):
        print(line, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
