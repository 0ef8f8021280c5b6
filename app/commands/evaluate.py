"""`gaitkeeper evaluate …`: the tables of the papers, on data that you have."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say

evaluate = typer.Typer(no_args_is_help=True, help="Measure a checkpoint on a data set.")


@evaluate.callback()
def _group() -> None:
    """Measure a checkpoint on a data set."""


@evaluate.command()
def reid(
    data: Annotated[list[Path], typer.Option(help="Data set folder; repeatable. Market-1501 layout or index.csv.")],
    model: Annotated[str, typer.Option(help="Checkpoint of the manifest.")] = "rga-market1501-compact",
    weights_dir: Annotated[Path | None, typer.Option(help="Folder with manifest.toml.")] = None,
    boxes: Annotated[str | None, typer.Option(help="CUHK03: labeled or detected.")] = None,
    flip: Annotated[bool, typer.Option(help="Average with the mirrored crop.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print rank-1, -5, -10 and mAP by the Market-1501 protocol (which is also CUHK03's new one)."""
    # Torch takes seconds to import; other commands should not wait for it.
    from models.checkpoint import CheckpointError, bundled_weights_dir, load_network, read_manifest
    from training.reid_evaluation import evaluate as score
    from training.release import figures, load_test_set

    folder = weights_dir or bundled_weights_dir()
    try:
        checkpoints = read_manifest(folder)
        if model not in checkpoints:
            fail(f"there is no checkpoint {model!r}; the manifest has {', '.join(sorted(checkpoints))}")
        network = load_network(checkpoints[model], folder)
        rows = []
        for root in data:
            test = load_test_set(root, boxes)
            rows.append((test, score(network, test.query, test.gallery, flip)))
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    if as_json:
        say(json.dumps({test.name: figures(scores) for test, scores in rows}))
        return
    say(f"{model}, cosine similarity, {'with' if flip else 'without'} the mirrored crop")
    say(f"{'data':30} {'queries':>8} {'gallery':>8} {'rank-1':>7} {'rank-5':>7} {'rank-10':>7} {'mAP':>7}")
    for test, scores in rows:
        ranks = " ".join(f"{100 * scores.rank(k):7.1f}" for k in (1, 5, 10))
        say(
            f"{test.name:30} {scores.valid_queries:8} {len(test.gallery):8} {ranks}"
            f" {100 * scores.mean_average_precision:7.1f}"
        )
