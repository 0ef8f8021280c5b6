"""`gaitkeeper enroll`: a folder of pictures into a gallery of a running server."""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say
from app.folders import Picture, find_people
from gaitkeeper import Client, GaitkeeperError, calls
from training.progress import watched

AT_ONCE = 32
TIMEOUT_SECONDS = 120.0

Url = Annotated[str, typer.Option(help="Of the running server.", envvar="GAITKEEPER_URL")]
Key = Annotated[str, typer.Option(help="API key, if the server asks for one.", envvar="GAITKEEPER_KEY")]
Gallery = Annotated[str, typer.Option(help="Name of the gallery.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def enroll(
    folder: Annotated[Path, typer.Argument(help="One folder a person, or names like 0002_c1s1_000451_03.jpg.")],
    url: Url = "http://127.0.0.1:8000",
    gallery: Gallery = "default",
    camera: Annotated[str | None, typer.Option(help="Of all pictures whose names do not say it.")] = None,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Enrol every picture of a folder. Interrupted or in part refused, run it again: what is there is found there.

    Exit code 1 if a picture could not be enrolled.
    """
    counts: Counter[str] = Counter()
    version, refused = 0, []
    try:
        pictures = find_people(folder)
        batches = list(_batches(pictures))
        with Client(url, key, TIMEOUT_SECONDS) as client:
            for batch in watched(batches, "enrolling"):
                answer = client.send(calls.enrol_batch([_line(picture, camera) for picture in batch], gallery))
                version = answer["gallery_version"]
                for picture, shot in zip(batch, answer["shots"], strict=True):
                    counts[shot["status"]] += 1
                    if shot["status"] == "error":
                        refused.append({"file": str(picture.path), "detail": shot["problem"]["detail"]})
    except (ValueError, OSError, GaitkeeperError) as error:
        fail(str(error))
    people = len({picture.identity_id for picture in pictures})
    if as_json:
        statuses = {status: counts[status] for status in ("created", "duplicate", "error")}
        say(json.dumps({"people": people, **statuses, "refused": refused, "gallery_version": version}))
    else:
        for one in refused:
            say(f"{one['file']}: {one['detail']}")
        say(
            f"{people} people in gallery {gallery!r}: {counts['created']} shots created, {counts['duplicate']} there"
            f" already, {counts['error']} refused; gallery version {version}"
        )
    if refused:
        raise typer.Exit(1)


def _batches(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    remaining = iter(pictures)
    while batch := list(islice(remaining, AT_ONCE)):
        yield batch


def _line(picture: Picture, camera: str | None) -> bytes:
    line = {
        "identity_id": picture.identity_id,
        "camera": picture.camera or camera,
        "image": base64.b64encode(picture.path.read_bytes()).decode(),
    }
    return json.dumps(line).encode()
