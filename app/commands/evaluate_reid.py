"""`gaitkeeper evaluate reid`: ranks and mAP."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.console import fail
from app.commands.evaluate_options import AsJson, Device, Model, mirrored_or_not, open_checkpoint
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir

Protocol = Literal["market", "cuhk03-classic"]
Boxes = Literal["labeled", "detected"]
Reranking = Literal["k_reciprocal"]


def reid(
    data: Annotated[list[Path], typer.Option(help="Data set folder, in one of the layouts; repeatable.")],
    model: Model = "resnet18-market1501-compact",
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
        if classic_set is None and (test_set, repeats, seed) != (0, 10, 0):
            raise ValueError("--test-set, --repeats and --seed belong to --protocol cuhk03-classic")
        rules = ReidProtocol(classic_set, repeats, seed, rerank is not None)
        tests = [test for root in data for test in find_tests(root, boxes, classic_set)]
        checkpoint, network = open_checkpoint(model, "reid", weights_dir, device)
        seen = checkpoint.preprocessing
        embedder = PersonEmbedder(network, seen.size, seen.normalisation, seen.flip if flip is None else flip)
        rows = {}
        for test in tests:
            scores = evaluate_reid(test, rules, lambda crops, title: embed_crops(embedder, crops, title))
            counts = {"queries": scores.valid_queries, "gallery": len(test.gallery)}
            rows[f"{test.name}, {test.layout} layout"] = counts | figures(scores)
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    say_table(f"{model}: {rules}, {mirrored_or_not(embedder.flip)}", rows, as_json)
