"""`gaitkeeper evaluate open-set`: half of the people are enrolled, and everybody is looked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.commands.evaluate_options import AsJson, Device, Model, open_checkpoint
from app.commands.table import say_table
from app.commands.weights_intake import WeightsDir

if TYPE_CHECKING:
    from training.open_set import People, Searches
    from training.reid_protocols import Embed, ReidTest


def open_set(
    data: Annotated[list[Path], typer.Option(help="Data set folder, in a layout of `evaluate reid`; repeatable.")],
    model: Model = "resnet18-market1501-compact",
    weights_dir: WeightsDir = None,
    draws: Annotated[int, typer.Option(min=1, help="How often half of the people are drawn.")] = 10,
    shots: Annotated[int | None, typer.Option(min=1, help="Shots to enrol of each person; all if not given.")] = None,
    same_camera: Annotated[
        bool, typer.Option("--same-camera", help="Search shots of the query's own camera too; the protocol does not.")
    ] = False,
    own: Annotated[bool, typer.Option("--own", help="Calibrate each gallery on its own shots, as POST does.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Folder for an SVG of the rates and one of probabilities.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print DIR at an FPIR of 1 % and 10 %, what the calibration's thresholds reach, and how true probabilities are.

    DIR@: at the threshold that this share of the strangers in the data reaches. FPIR(target), DIR(target): at the
    threshold that the calibration chooses for the size of the gallery, without a look at the strangers; low and high
    are the ends of the 95 % interval of that FPIR, by drawing the strangers anew.
    """
    from models.checkpoint import CheckpointError
    from models.predictors.reid import PersonEmbedder
    from training.open_set import joined, open_set_figures, search_half
    from training.reid_protocols import embed_crops, find_tests

    try:
        tests = [test for root in data for test in find_tests(root)]
        checkpoint, network = open_checkpoint(model, "reid", weights_dir, device)
        calibration = checkpoint.calibration
        if calibration is None and not own:
            raise ValueError(f"{model} has no calibration; `gaitkeeper calibrate {model} --data …` fits one")
        seen = checkpoint.preprocessing
        embedder = PersonEmbedder(network, seen.size, seen.normalisation, seen.flip)
        rows, found = {}, {}
        for test in tests:
            query, gallery = _people(test, lambda crops, title: embed_crops(embedder, crops, title))
            basis = None if own else calibration
            found[test.name] = joined(
                [search_half(query, gallery, basis, seed, shots, same_camera) for seed in range(draws)]
            )
            rows[test.name] = open_set_figures(found[test.name])
    except (CheckpointError, ValueError, OSError) as error:
        fail(str(error))
    enrolled = "half of the people" if shots is None else f"{shots} shots of half of the people"
    whose = "each gallery's own" if own else "the checkpoint's"
    cameras = "all cameras" if same_camera else "other cameras than the query's"
    title = f"{model}: {enrolled} enrolled, {draws} draws, {cameras}, cosine similarity, {whose} calibration"
    say_table(title, rows, as_json)
    if plots is not None:
        _plot(found, plots)
        say(f"plots in {plots}")


def _people(test: "ReidTest", embed: "Embed") -> "tuple[People, People]":
    import numpy as np

    from training.open_set import People

    parts = []
    for name, crops in (("query", test.query), ("gallery", test.gallery)):
        identities = np.array([crop.identity for crop in crops], np.int64)
        cameras = np.array([crop.camera for crop in crops], np.int64)
        parts.append(People(embed(crops, f"{test.name}: {name}"), identities, cameras))
    return parts[0], parts[1]


def _plot(found: "dict[str, Searches]", folder: Path) -> None:
    import numpy as np

    from training.open_set import dir_curve, reliability
    from training.plots import Axis, line_chart

    folder.mkdir(parents=True, exist_ok=True)
    rates = np.geomspace(0.003, 1, 60)
    curves = {
        name: list(zip(rates.tolist(), dir_curve(searches, rates).tolist(), strict=True))
        for name, searches in found.items()
    }
    share = Axis("detected and identified (DIR)", (0, 0.2, 0.4, 0.6, 0.8, 1))
    strangers = Axis("strangers taken for somebody (FPIR)", (0.003, 0.01, 0.03, 0.1, 0.3, 1), log=True)
    chart = line_chart("Half of the people enrolled", strangers, share, curves)
    (folder / "open-set-dir.svg").write_text(chart)
    true: dict[str, list[tuple[float, float]]] = {"as it should be": [(0, 0), (1, 1)]}
    true |= {name: [(said, right) for said, right, _ in reliability(searches)] for name, searches in found.items()}
    ticks = (0, 0.2, 0.4, 0.6, 0.8, 1)
    probability, right = Axis("probability that was answered", ticks), Axis("share that was right", ticks)
    chart = line_chart("Are probabilities true?", probability, right, true)
    (folder / "open-set-reliability.svg").write_text(chart)
