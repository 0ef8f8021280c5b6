"""`gaitkeeper evaluate pose`: OKS on COCO, PCKh on MPII, PCK on Leeds Sports Pose."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail
from app.commands.evaluate_options import AsJson, Device, Model, mirrored_or_not, open_checkpoint
from app.commands.table import Figures, say_table
from app.commands.weights_intake import WeightsDir

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoint import Checkpoint
    from training.coco_evaluation import CocoScores
    from training.pose_evaluation import MpiiScores


def pose(
    data: Annotated[
        Path,
        typer.Option(help="COCO (person_keypoints_SPLIT.json), MPII (annot/SPLIT.json) or LSP (joints.csv, .mat)."),
    ],
    model: Model,
    weights_dir: WeightsDir = None,
    split: Annotated[str | None, typer.Option(help="Part of the data.", show_default="val2017, or valid")] = None,
    detections: Annotated[
        Path | None, typer.Option(help="COCO: boxes in COCO's result format.", show_default="the true boxes")
    ] = None,
    flip: Annotated[bool, typer.Option(help="Average with the mirrored crop.")] = True,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print AP and AR on COCO keypoints; PCKh on MPII, head to ankle, mean, and the mean at a tenth of a head; or
    PCK at a fifth of the torso on Leeds Sports Pose.

    On COCO, a network of Leeds Sports Pose's 14 keypoints gets the mean OKS of the 12 that both have, on persons with
    10 annotated keypoints or more.
    """
    from models.checkpoint import CheckpointError

    try:
        checkpoint, network = open_checkpoint(model, "pose", weights_dir, device)
        rows, source = measure_pose(checkpoint, network, data, split, detections, flip)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{model}, {mirrored_or_not(flip)}; {source}", rows, as_json)


def measure_pose(
    checkpoint: "Checkpoint",
    network: "nn.Module",
    data: Path,
    split: str | None = None,
    detections: Path | None = None,
    flip: bool = True,
) -> "tuple[Mapping[str, Figures], str]":
    """The rows of the table that fits the data and the network, and what was read."""
    from models.keypoints import COCO_17, LSP_14, MPII_16
    from models.predictors.pose import pose_estimator
    from training.lsp_datasets import is_lsp, load_lsp
    from training.lsp_evaluation import evaluate_common, evaluate_lsp, finder
    from training.pose_datasets import annotated_keypoints, is_mpii, load_coco, load_mpii
    from training.pose_evaluation import evaluate_coco, evaluate_mpii, pose_network

    if detections is not None and (is_mpii(data) or is_lsp(data)):
        raise ValueError("the persons that are annotated here are scored; --detections is for COCO")
    if is_lsp(data):
        if split is not None:
            raise ValueError("Leeds Sports Pose is read whole; --split is for COCO and MPII")
        find = finder(pose_estimator(checkpoint, network), flip)
        persons = load_lsp(data)
        return evaluate_lsp(persons, find), persons.source
    if is_mpii(data):
        annotated = load_mpii(data, split or "valid")
        system = pose_network(checkpoint, network, MPII_16, flip)
        return _mpii_rows(evaluate_mpii(annotated, system.predict)), annotated.source
    boxed = load_coco(data, split, detections)
    if network.num_keypoints == len(LSP_14) and detections is None:
        known = annotated_keypoints(boxed)
        return evaluate_common(known, finder(pose_estimator(checkpoint, network), flip)), known.source
    system = pose_network(checkpoint, network, COCO_17, flip)
    return _coco_rows(evaluate_coco(boxed, system.predict, system.size)), boxed.source


def _coco_rows(scores: "CocoScores") -> dict[str, dict[str, float]]:
    named = {
        "AP": scores.ap,
        "AP50": scores.ap50,
        "AP75": scores.ap75,
        "AP(M)": scores.ap_medium,
        "AP(L)": scores.ap_large,
        "AR": scores.ar,
        "AR50": scores.ar50,
        "AR75": scores.ar75,
        "AR(M)": scores.ar_medium,
        "AR(L)": scores.ar_large,
    }
    # COCO writes -1 where it has nobody to compare with.
    return {"OKS": {name: value if value >= 0 else math.nan for name, value in named.items()}}


def _mpii_rows(scores: "MpiiScores") -> dict[str, dict[str, float]]:
    return {
        "PCKh@0.5, HRNet's": {**scores.hrnet.parts, "mean": scores.hrnet.mean, "mean@0.1": scores.hrnet_tenth},
        "PCKh@0.5, bearpaw's": {**scores.bearpaw.parts, "mean": scores.bearpaw.mean},
    }
