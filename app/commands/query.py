"""`gaitkeeper query`: who is on some pictures, by a running server."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.commands.console import fail, say
from app.commands.enroll import TIMEOUT_SECONDS, AsJson, Gallery, Key, Url
from gaitkeeper import Client, GaitkeeperError, calls

UNKNOWN = 2


def query(
    pictures: Annotated[list[Path], typer.Argument(help="Crops of ONE person.")],
    url: Url = "http://127.0.0.1:8000",
    gallery: Gallery = "default",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Identities to show.")] = 5,
    aggregate: Annotated[Literal["mean", "best", "quality"], typer.Option(help="How the crops are fused.")] = "mean",
    rerank: Annotated[Literal["k_reciprocal"] | None, typer.Option(help="Order again by shared neighbours.")] = None,
    target_fpir: Annotated[
        float | None,
        typer.Option(help="Rate of strangers taken for somebody to set the threshold for.", show_default="0.01"),
    ] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help='JSON, for example {"camera": "c2"}.')] = None,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Rank the gallery's identities for the person on the pictures.

    Exit code 0 if the first is a match, 2 if the person is unknown.
    """
    options = {
        "limit": limit,
        "aggregate": aggregate,
        "rerank": rerank,
        "target_fpir": target_fpir,
        "filter": filter_,
    }
    try:
        call: calls.Call[Any] = calls.query(pictures, gallery, options)
        with Client(url, key, TIMEOUT_SECONDS) as client:
            answer = client.send(replace(call, result=dict[str, Any]))  # --json prints all that the server says
    except (OSError, GaitkeeperError) as error:
        fail(str(error))
    if as_json:
        say(json.dumps(answer))
    else:
        _show(answer)
    if answer["decision"] == "unknown":
        raise typer.Exit(UNKNOWN)


def _show(answer: dict[str, Any]) -> None:
    say(f"{answer['decision']} ({answer['model']}, gallery {answer['gallery']!r} at {answer['gallery_version']})")
    say(f"{'rank':>4}  {'identity':20} {'probability':>11} {'similarity':>10} {'shots':>5}  best shot")
    for one in answer["identities"]:
        probability = "-" if one["probability"] is None else f"{one['probability']:.3f}"
        best = one["best_shot"]
        say(
            f"{one['rank']:4}  {one['identity_id']:20} {probability:>11} {one['similarity']:10.3f} {one['shots']:5}"
            f"  {best['shot_id']} {best['camera'] or ''}".rstrip()
        )
