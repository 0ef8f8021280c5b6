"""`gaitkeeper enroll`: a folder of pictures into a gallery of a running server."""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import fail, say, warn
from app.folders import Picture, find_people, stray_reason
from gaitkeeper import Client, GaitkeeperError, ProblemError, calls
from training.progress import watched

AT_ONCE = 32
TIMEOUT_SECONDS = 120.0
STRAYS_NAMED = 5
UNKNOWN_GALLERY = "/problems/unknown-gallery"

Url = Annotated[str, typer.Option(help="Of the running server.", envvar="GAITKEEPER_URL")]
Key = Annotated[str, typer.Option(help="API key, if the server asks for one.", envvar="GAITKEEPER_KEY")]
Gallery = Annotated[str, typer.Option(help="Name of the gallery.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def enroll(
    folder: Annotated[Path, typer.Argument(help="One folder a person, or names like 0002_c1s1_000451_03.jpg.")],
    url: Url = "http://127.0.0.1:8000",
    gallery: Gallery = "default",
    create: Annotated[bool, typer.Option("--create", help="Make the gallery if it is not there.")] = False,
    camera: Annotated[str | None, typer.Option(help="Of all pictures whose names do not say it.")] = None,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Enrol every picture of a folder. Interrupted or in part refused, run it again: what is there is found there.

    Somebody whose folder has a name that cannot be an id, such as "Jörg B", is enrolled as Jorg-B-30f85cb5 (digits of
    its hash) with that name as label. Exit code 1 if a picture could not be enrolled.
    """
    try:
        found = find_people(folder)
        _warn_of(found.strays)
        with Client(url, key, TIMEOUT_SECONDS) as client:
            if create:
                _make(client, gallery)
            done = _send(client, found.pictures, gallery, camera)
    except (ValueError, OSError, GaitkeeperError) as error:
        unknown = isinstance(error, ProblemError) and error.type == UNKNOWN_GALLERY
        fail(f"{error}; run the same command with --create to make it" if unknown and not create else str(error))
    people = len({picture.identity_id for picture in found.pictures})
    if as_json:
        statuses = {status: done.statuses[status] for status in ("created", "duplicate", "error")}
        skipped = [str(path) for path in found.strays]
        answer = {"people": people, **statuses, "refused": done.refused, "skipped": skipped}
        say(json.dumps(answer | {"gallery_version": done.gallery_version}))
    else:
        _show(done, people, gallery)
    if done.refused:
        raise typer.Exit(1)


@dataclass
class Done:
    """What became of the pictures so far."""

    statuses: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, str]] = field(default_factory=list)
    gallery_version: int = 0


def _warn_of(strays: Sequence[Path]) -> None:
    for path in strays[:STRAYS_NAMED]:
        warn(f"{stray_reason(path)}; it is skipped")
    if (others := len(strays) - STRAYS_NAMED) > 0:
        warn(f"{others} others do not say it either, and are skipped; --json names them")


def _make(client: Client, gallery: str) -> None:
    try:
        client.gallery(gallery)
    except ProblemError as error:
        if error.type != UNKNOWN_GALLERY:
            raise
        client.create_gallery(gallery)


def _send(client: Client, pictures: Sequence[Picture], gallery: str, camera: str | None) -> Done:
    done = Done()
    for batch in watched(list(_batches(pictures)), f"enrolling {len(pictures)} pictures, {AT_ONCE} at once"):
        answer = client.send(calls.enrol_batch([_line(picture, camera) for picture in batch], gallery))
        done.gallery_version = answer["gallery_version"]
        for picture, shot in zip(batch, answer["shots"], strict=True):
            done.statuses[shot["status"]] += 1
            if shot["status"] == "error":
                done.refused.append({"file": str(picture.path), "detail": shot["problem"]["detail"]})
    return done


def _show(done: Done, people: int, gallery: str) -> None:
    for one in done.refused:
        say(f"{one['file']}: {one['detail']}")
    statuses = done.statuses
    say(
        f"{people} people in gallery {gallery!r}: {statuses['created']} shots created, {statuses['duplicate']} there"
        f" already, {statuses['error']} refused; gallery version {done.gallery_version}"
    )


def _batches(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    remaining = iter(pictures)
    while batch := list(islice(remaining, AT_ONCE)):
        yield batch


def _line(picture: Picture, camera: str | None) -> bytes:
    line = {
        "identity_id": picture.identity_id,
        "label": picture.label,
        "camera": picture.camera or camera,
        "image": base64.b64encode(picture.path.read_bytes()).decode(),
    }
    return json.dumps(line).encode()
