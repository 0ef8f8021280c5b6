"""`gaitkeeper evaluate precision`: what a faster way of computing costs in accuracy, on data that you have."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.console import fail, reason_of
from app.commands.evaluate_gait import measure_gait
from app.commands.evaluate_options import AsJson, Model
from app.commands.evaluate_pose import measure_pose
from app.commands.table import Figures, say_table
from app.commands.weights_intake import WeightsDir, folder_with_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.checkpoint import Checkpoint
    from models.runtimes.likeness import Answer

    Rows = Mapping[str, Figures]
    Measure = Callable[[nn.Module], Rows]


def precision(
    data: Annotated[
        list[str],
        typer.Option(help="As `evaluate reid`, `evaluate pose` or `evaluate gait` read it; repeatable."),
    ],
    precision: Annotated[Literal["int8", "bf16", "fp32"], typer.Option(help="To compare with fp32 in torch.")] = "bf16",
    runtime: Annotated[Literal["auto", "torch", "onnxruntime", "openvino"], typer.Option(help="What computes.")] = (
        "auto"
    ),
    model: Model = "resnet18-market1501-compact",
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the figures of a checkpoint's task both ways, and how far the two ways' answers lie apart.

    These are rank-1 and mAP, and the cosine of a crop's two embeddings; OKS or PCK, and how far keypoints move in the
    heatmap; the errors of ages, and how many years the two ages differ. Mirrored pictures count as pictures too.
    """
    # Torch takes seconds to import; other commands should not wait for it.
    import torch

    from models.checkpoint import CheckpointError, load_network
    from models.manifest import find_checkpoint
    from models.runtimes.cache import FileCache
    from models.runtimes.likeness import answer_of, likeness
    from models.runtimes.selection import RuntimeOptions, accelerate

    folder = folder_with_manifest(weights_dir)
    options = RuntimeOptions(torch.device("cpu"), runtime, precision, int8_dir=folder)
    rows: dict[str, Figures] = {}
    try:
        checkpoint = find_checkpoint(model, folder)
        answer = answer_of(checkpoint)
        other = accelerate(load_network(checkpoint, folder), checkpoint, options, FileCache(None))
        with TemporaryDirectory() as cache:
            for source in data:
                name, measure = Path(source).name, _measure(checkpoint, source, Path(cache))
                exact = load_network(checkpoint, folder)
                true_rows, true_answers = _figures_and_answers(exact, exact, measure, answer)
                found_rows, answers = _figures_and_answers(load_network(checkpoint, folder), other, measure, answer)
                for row, figures in true_rows.items():
                    rows[f"{row}, torch fp32"] = figures
                    rows[f"{row}, {runtime} {precision}"] = found_rows[row]
                rows[f"{name}, answers"] = likeness(checkpoint.task, true_answers, answers)
    except (CheckpointError, ValueError, OSError) as error:
        fail(reason_of(error))
    say_table(f"{model}: what {precision} changes", rows, as_json)


def _measure(checkpoint: "Checkpoint", source: str, cache: Path) -> "Measure":
    """What measures a network of a checkpoint's task, by the rules of the other kinds of `evaluate`."""
    name = Path(source).name
    if checkpoint.task == "pose":
        return lambda network: _named(name, measure_pose(checkpoint, network, Path(source))[0])
    if checkpoint.task == "gait":
        return lambda network: _named(name, measure_gait(checkpoint, network, source, cache=cache)[0])
    if checkpoint.task == "reid":
        return lambda network: _measure_reid(checkpoint, network, Path(source))
    raise ValueError(f"{checkpoint.name} is a checkpoint for {checkpoint.task}, not for reid, pose or gait")


def _named(name: str, rows: "Rows") -> "Rows":
    return {f"{name}, {row}": figures for row, figures in rows.items()}


def _measure_reid(checkpoint: "Checkpoint", network: "nn.Module", root: Path) -> "Rows":
    from models.predictors.reid import PersonEmbedder
    from training.reid_protocols import ReidProtocol, embed_crops, evaluate_reid, find_tests
    from training.release import figures

    seen = checkpoint.preprocessing
    embedder = PersonEmbedder(network, seen.size, seen.normalisation, seen.flip)
    rules = ReidProtocol()
    return {
        test.name: figures(evaluate_reid(test, rules, lambda crops, title: embed_crops(embedder, crops, title)))
        for test in find_tests(root)
    }


def _figures_and_answers(
    network: "nn.Module", way: "nn.Module", measure: "Measure", answer: "Answer"
) -> "tuple[Rows, Tensor]":
    """The figures of a network that is computed in some way, and what it answered to every picture."""
    import torch

    answers: list[Tensor] = []
    # Who measures also asks a network for its device and its keypoints, so only what it computes with is replaced.
    network.forward = way.forward
    network.register_forward_hook(lambda module, images, output: answers.append(answer(output)))
    return measure(network), torch.cat(answers)
