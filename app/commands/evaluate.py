"""`gaitkeeper evaluate …`: the tables of the papers, on data that you have."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.console import fail
from app.commands.table import say_table

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoint import Checkpoint
    from training.coco_evaluation import CocoScores
    from training.pose_evaluation import MpiiScores

evaluate = typer.Typer(no_args_is_help=True, help="Measure a checkpoint on a data set.")

Protocol = Literal["market", "cuhk03-classic"]
Boxes = Literal["labeled", "detected"]
Reranking = Literal["k_reciprocal"]
Model = Annotated[str, typer.Option(help="Checkpoint of the manifest.")]
WeightsDir = Annotated[Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the bundled one")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: the accelerator where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")]


@evaluate.callback()
def _group() -> None:
    """Measure a checkpoint on a data set."""


@evaluate.command()
def reid(
    data: Annotated[list[Path], typer.Option(help="Data set folder, in one of the layouts; repeatable.")],
    model: Model = "rga-market1501-compact",
    weights_dir: WeightsDir = None,
    boxes: Annotated[Boxes | None, typer.Option(help="Of CUHK03.", show_default="each")] = None,
    protocol: Annotated[Protocol, typer.Option(help="The first is also CUHK03's new one.")] = "market",
    test_set: Annotated[int, typer.Option(min=0, help="Classic protocol: which of CUHK03's 20 test sets.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Classic protocol: random draws of the gallery.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Classic protocol: of the draws.")] = 0,
    rerank: Annotated[Reranking | None, typer.Option(help="Rank again by shared neighbours.")] = None,
    flip: Annotated[
        bool | None, typer.Option(help="Average with the mirrored crop.", show_default="as the manifest says")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print rank-1, -5, -10 and mAP.

    Layouts: Market-1501 and DukeMTMC-reID (bounding_box_test, query); MSMT17 (list_query.txt, list_gallery.txt);
    CUHK03-NP (labeled, detected); CUHK03 as RGA's code prepares it (splits_new_labeled.json, images_labeled …);
    index.csv with a zip file.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    from models.checkpoint import CheckpointError
    from models.predictors.reid import PersonEmbedder
    from training.reid_protocols import ReidProtocol, embed_crops, evaluate_reid, find_tests
    from training.release import figures

    classic_set = test_set if protocol == "cuhk03-classic" else None
    try:
        rules = ReidProtocol(classic_set, repeats, seed, rerank is not None)
        tests = [test for root in data for test in find_tests(root, boxes, classic_set)]
        checkpoint, network = _open(model, "reid", weights_dir, device)
        seen = checkpoint.preprocessing
        embedder = PersonEmbedder(network, seen.size, seen.normalisation, seen.flip if flip is None else flip)
        rows = {}
        for test in tests:
            scores = evaluate_reid(test, rules, lambda crops, title: embed_crops(embedder, crops, title))
            counts = {"queries": scores.valid_queries, "gallery": len(test.gallery)}
            rows[f"{test.name}, {test.layout} layout"] = counts | figures(scores)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{model}: {rules}, {_mirrored(embedder.flip)}", rows, as_json)


@evaluate.command()
def pose(
    data: Annotated[Path, typer.Option(help="COCO (person_keypoints_SPLIT.json) or MPII (annot/SPLIT.json).")],
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
    """Print AP and AR on COCO keypoints; or PCKh on MPII: head to ankle, mean, and the mean at a tenth of a head."""
    from models.checkpoint import CheckpointError
    from models.keypoints import COCO_17, MPII_16
    from training.pose_datasets import is_mpii, load_coco, load_mpii
    from training.pose_evaluation import evaluate_coco, evaluate_mpii, pose_network

    try:
        if is_mpii(data):
            if detections is not None:
                raise ValueError("MPII is scored on the persons it annotates; --detections is for COCO")
            annotated = load_mpii(data, split or "valid")
            finder = pose_network(*_open(model, "pose", weights_dir, device), MPII_16, flip)
            rows, source = _mpii_rows(evaluate_mpii(annotated, finder.predict)), annotated.source
        else:
            boxed = load_coco(data, split or "val2017", detections)
            finder = pose_network(*_open(model, "pose", weights_dir, device), COCO_17, flip)
            rows, source = _coco_rows(evaluate_coco(boxed, finder.predict, finder.size)), boxed.source
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{model}, {_mirrored(flip)}; {source}", rows, as_json)


@evaluate.command()
def gait(
    data: Annotated[Path, typer.Option(help="OULP-Age: GEI_IDList_test.txt, Age_gender_info.csv, GEI/*.png.")],
    model: Model,
    weights_dir: WeightsDir = None,
    split: Annotated[Literal["test", "train"], typer.Option(help="Half of the data.")] = "test",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print the mean absolute error in years, and the share of subjects at most 1, 5 and 10 years off."""
    from models.checkpoint import CheckpointError
    from training.gait_datasets import load_oulp_age
    from training.gait_evaluation import estimate_ages, evaluate_gait

    try:
        walks = load_oulp_age(data, split)
        checkpoint, network = _open(model, "gait", weights_dir, device)
        seen = checkpoint.preprocessing
        scores = evaluate_gait(walks, lambda paths: estimate_ages(network, seen.size, paths, seen.flip))
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    row = {"MAE": scores.mae, "CS(1)": scores.cs1, "CS(5)": scores.cs5, "CS(10)": scores.cs10}
    say_table(f"{model}, {_mirrored(seen.flip)}; {walks.source}; MAE in years, CS in percent", {split: row}, as_json)


def _open(model: str, task: str, weights_dir: Path | None, device: str) -> "tuple[Checkpoint, nn.Module]":
    """A checkpoint of the manifest and its network on a device.

    Raises:
        CheckpointError: the manifest or the weights are missing or do not fit.
        ValueError: there is no such checkpoint, it is for another task, or there is no such device.
    """
    import torch

    from models.checkpoint import bundled_weights_dir, load_network, read_manifest

    folder = weights_dir or bundled_weights_dir()
    checkpoints = read_manifest(folder)
    if model not in checkpoints:
        raise ValueError(f"there is no checkpoint {model!r}; the manifest has {', '.join(sorted(checkpoints))}")
    checkpoint = checkpoints[model]
    if checkpoint.task != task:
        raise ValueError(f"{model} is a checkpoint for {checkpoint.task}, not for {task}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # Papers were measured in full single precision, of which TF32 keeps 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    network = load_network(checkpoint, folder)
    try:
        return checkpoint, network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device} cannot be used: {error}") from error


def _mirrored(flip: bool) -> str:
    return f"{'with' if flip else 'without'} the mirrored picture"


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
