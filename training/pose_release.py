"""From a finished pose run to a bundled checkpoint: figures, golden sample, manifest entry."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.checkpoint import Checkpoint, Preprocessing, load_network, sha256_of
from models.golden import write_golden
from models.keypoints import SKELETONS
from models.manifest import write_entry
from models.predictors.pose import PoseEstimator, pose_estimator
from training.lsp_datasets import LspPersons, is_lsp, load_lsp
from training.lsp_evaluation import evaluate_common, evaluate_lsp, finder
from training.pose_datasets import CocoKeypoints, annotated_keypoints, load_coco


@dataclass(frozen=True)
class TestData:
    """What a released network is measured on, under the name of its folder."""

    name: str
    persons: LspPersons | CocoKeypoints

    def measure(self, estimator: PoseEstimator) -> dict[str, dict[str, float]]:
        """The rows of `gaitkeeper evaluate pose` for a network with the 14 keypoints of Leeds Sports Pose."""
        find = finder(estimator, flip=True)
        if isinstance(self.persons, LspPersons):
            return evaluate_lsp(self.persons, find)
        return evaluate_common(self.persons, find)


def load_test_data(root: Path) -> TestData:
    """Read Leeds Sports Pose, or COCO's persons with 10 annotated keypoints or more.

    Raises:
        ValueError: the folder is laid out as neither, or incomplete.
    """
    return TestData(root.resolve().name, load_lsp(root) if is_lsp(root) else annotated_keypoints(load_coco(root)))


def release_pose(run: Path, draft: Checkpoint, tests: Sequence[TestData], weights_dir: Path) -> Checkpoint:
    """Copy a run's weights into a weights folder, and enter in its manifest what was found out about them.

    Args:
        run: folder that `training.pose.train` wrote.
        draft: what `draft_checkpoint` gives.
        tests: what to measure on, with the mirrored crop.
        weights_dir: folder of manifest.toml.

    Returns:
        The manifest entry.

    Raises:
        ValueError: the run is not finished.
        CheckpointError: its weights do not fit its network.
    """
    card_path = run / "card.json"
    if not card_path.is_file():
        raise ValueError(f"{card_path} is missing; `gaitkeeper train pose` writes it when it ends")
    card = json.loads(card_path.read_text())
    recipe, path = card["recipe"], weights_dir / f"{draft.name}.safetensors"
    shutil.copyfile(run / "model.safetensors", path)
    mean = tuple(recipe["mean"])
    checkpoint = replace(
        draft,
        network=recipe["network"],
        arguments=recipe["arguments"] | {"num_keypoints": len(SKELETONS[card["skeleton"]])},
        preprocessing=Preprocessing((recipe["size"], recipe["size"]), mean, (1.0, 1.0, 1.0), flip=True),
        file=path.name,
        sha256=sha256_of(path),
        command=card["command"],
    )
    network = load_network(checkpoint, weights_dir)
    estimator = pose_estimator(checkpoint, network)
    measured = {
        f"{test.name}, {part}": _rounded(row) for test in tests for part, row in test.measure(estimator).items()
    }
    checkpoint = replace(checkpoint, measured=measured)
    write_golden(checkpoint, network, weights_dir)
    write_entry(weights_dir, checkpoint)
    return checkpoint


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
