"""`gaitkeeper evaluate precision`: what a faster way of computing costs in accuracy, on pictures that you have."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.console import fail
from app.commands.table import say_table
from app.commands.weights_intake import chosen_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.predictors.reid import PersonEmbedder
    from training.reid_layouts import CropFile

    Embed = Callable[[Sequence[CropFile], str], NDArray[np.float32]]


def precision(
    data: Annotated[list[Path], typer.Option(help="Re-ID data set folder, as for `evaluate reid`; repeatable.")],
    precision: Annotated[Literal["bf16", "fp32"], typer.Option(help="To compare with fp32 in torch.")] = "bf16",
    runtime: Annotated[Literal["auto", "torch", "onnxruntime", "openvino"], typer.Option(help="What computes.")] = (
        "auto"
    ),
    model: Annotated[str, typer.Option(help="Checkpoint of the manifest.")] = "resnet18-market1501-compact",
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the bundled one")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with fractions instead of percent.")] = False,
) -> None:
    """Print rank-1 and mAP of a re-ID checkpoint both ways, and how like its embeddings are (cosine)."""
    # Torch takes seconds to import; other commands should not wait for it.
    import torch

    from models.checkpoint import CheckpointError, load_network
    from models.manifest import find_checkpoint
    from models.predictors.reid import PersonEmbedder
    from models.runtimes.cache import FileCache
    from models.runtimes.selection import RuntimeOptions, accelerate
    from training.reid_protocols import ReidProtocol, evaluate_reid, find_tests
    from training.release import figures

    folder = chosen_folder(weights_dir)
    try:
        tests = [test for root in data for test in find_tests(root)]
        checkpoint = find_checkpoint(model, folder)
        if checkpoint.task != "reid":
            raise ValueError(f"{model} is a checkpoint for {checkpoint.task}, not for reid")
        network, seen = load_network(checkpoint, folder), checkpoint.preprocessing
        options = RuntimeOptions(torch.device("cpu"), runtime, precision)
        other = accelerate(network, checkpoint, options, FileCache(None))
        rows = {}
        exactly, differently = (
            _embed_with(PersonEmbedder(way, seen.size, seen.normalisation, seen.flip)) for way in (network, other)
        )
        for test in tests:
            rows[f"{test.name}, torch fp32"] = figures(evaluate_reid(test, ReidProtocol(), exactly))
            scores = figures(evaluate_reid(test, ReidProtocol(), differently))
            cosines = (exactly(test.query, "") * differently(test.query, "")).sum(axis=1)
            likeness = {"cosine median": float(sorted(cosines)[len(cosines) // 2]), "lowest": float(cosines.min())}
            rows[f"{test.name}, {runtime} {precision}"] = scores | likeness
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{model}: what {precision} changes", rows, as_json)


def _embed_with(embedder: "PersonEmbedder", batch_size: int = 32) -> "Embed":
    """Embeds crops, each set once."""
    import torch

    from training.datasets import decode_crops

    known: dict[int, NDArray[np.float32]] = {}

    @torch.inference_mode()
    def embed(crops: "Sequence[CropFile]", title: str) -> "NDArray[np.float32]":
        if id(crops) not in known:
            batches = [crops[start : start + batch_size] for start in range(0, len(crops), batch_size)]
            prepared = ([embedder.prepare(picture) for picture in decode_crops(batch)] for batch in batches)
            known[id(crops)] = torch.cat([embedder.forward(torch.stack(items)) for items in prepared]).numpy()
        return known[id(crops)]

    return embed
