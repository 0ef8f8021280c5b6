"""`gaitkeeper demo`: the main jobs on pictures, with answers printed and pictures to look at."""

import json
import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import fail, say
from app.commands.demo_reid import enrol_and_query
from app.commands.gait import gait as tell_ages
from app.commands.pose import picture_files
from app.commands.pose import pose as find_poses
from app.samples import Sample, sample_crops, sample_street

if TYPE_CHECKING:
    from training.walker import Walk

AGES = (8, 30, 75)
SURE = 0.4


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder of Market-style crops (0002_c1s1_….jpg), or with index.csv.")
    ] = None,
    pose: Annotated[
        list[Path] | None, typer.Option(help="Picture with persons, or a folder of them; repeatable.")
    ] = None,
    gait: Annotated[
        list[Path] | None, typer.Option(help="Folder of silhouettes, zip, npz, or video of a fixed camera; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures that are written.")] = Path("build/demo"),
    identities: Annotated[int, typer.Option(min=2, help="People to enrol at most.")] = 60,
    queries: Annotated[int, typer.Option(min=1, help="Queries on the contact sheet.")] = 8,
) -> None:
    """Enrol people and look for them in another camera; find poses; tell the ages of walkers.

    Without --data, --pose and --gait the project makes its own pictures: they show that everything works, not how well.
    """
    from app.gallery.errors import GalleryError
    from models.checkpoint import CheckpointError

    say(f"== who is this? {data or 'drawn people'}")
    try:
        crops = _read(data) if data else _draw_crops(out / "crops")
        enrol_and_query(crops, out / "contact-sheet.png", identities, queries)
    except (CheckpointError, GalleryError, ValueError, OSError) as error:
        fail(str(error))
    say(f"\n== how do they stand? {_names(pose) or 'drawn people'}")
    pictures = pose or [_draw_street(out / "street.jpg")]
    find_poses(pictures, out=out / "pose", render=True)
    for name in picture_files(pictures).values():
        _tell_persons(out / "pose" / f"{name}.json")
    say(f"each picture with its skeletons: {out / 'pose'}")
    say(
        f"\n== how old is their gait? {_names(gait) or f'rendered walkers of {AGES[0]}, {AGES[1]} and {AGES[2]} years'}"
    )
    tell_ages(gait or [_render_walks(out / "walks")], out=out / "gait")
    say(f"each walk with its gait energy image and steps: {out / 'gait'}")


def _names(paths: list[Path] | None) -> str:
    return ", ".join(map(str, paths or []))


def _read(folder: Path) -> list[Sample]:
    from training.datasets import read_crops

    return [Sample(f"{row.identity:04d}", f"c{row.camera}", row.data) for row in read_crops(folder)]


def _draw_crops(folder: Path) -> list[Sample]:
    crops = sample_crops()
    folder.mkdir(parents=True, exist_ok=True)
    for crop in crops:
        # Named as Market-1501's, so that `gaitkeeper enroll` takes the folder too.
        number = crop.identity.rpartition("-")[2]
        (folder / f"{number:0>4}_{crop.camera}.jpg").write_bytes(crop.jpeg)
    return crops


def _draw_street(path: Path) -> Path:
    path.write_bytes(sample_street())
    return path


def _render_walks(folder: Path) -> Path:
    from PIL import Image

    shutil.rmtree(folder, ignore_errors=True)  # frames of an earlier version would be part of the walk
    for age in AGES:
        walk = folder / f"rendered-{age}-years"
        walk.mkdir(parents=True)
        for frame, silhouette in enumerate(_walk_from_the_side(age).silhouettes):
            Image.fromarray(silhouette).save(walk / f"{frame:03d}.png")
    return folder


def _walk_from_the_side(age: int) -> "Walk":
    """A rendered walk that a careful user could have recorded."""
    from training.walker import render_walk

    walks = (render_walk(7, number, age, size=(192, 144)) for number in count())
    return next(walk for walk in walks if abs(walk.view_degrees - 90) < 8 and walk.cycles > 2.5)


def _tell_persons(answer: Path) -> None:
    """Print a line for each person of a picture."""
    for person in json.loads(answer.read_text())["persons"]:
        place = ", ".join(f"{person['box'][side]:.0f}" for side in ("x1", "y1", "x2", "y2"))
        keypoints = sorted(person["keypoints"], key=lambda keypoint: -keypoint["score"])
        sure = sum(keypoint["score"] >= SURE for keypoint in keypoints)
        first = ", ".join(f"{k['name']} ({k['x']:.0f}, {k['y']:.0f})" for k in keypoints[:3])
        say(f"  a person in ({place}): {sure} of {len(keypoints)} keypoints with a score of {SURE} or more; {first}")
