"""The part of `gaitkeeper demo` that enrols people and looks for them in another camera."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.console import say
from app.contact_sheet import Cell, write_contact_sheet
from app.samples import Sample
from app.settings import Settings

if TYPE_CHECKING:
    from app.pipelines.reid import ReidPipeline

SHOWN = 6


@dataclass
class _Story:
    """What was enrolled and what each query found."""

    pictures: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # shot_id -> identity, picture
    rows: list[list[Cell]] = field(default_factory=list)
    right: int = 0


def enrol_and_query(crops: Sequence[Sample], sheet: Path, identities: int, queries: int) -> None:
    """Enrol people from all cameras but one, look for them in that one, and print and draw what was found.

    Args:
        crops: of people who were seen by two cameras or more; others are left out.
        sheet: PNG to write, with some of the queries.
        identities: people to enrol at most.
        queries: shown.

    Raises:
        ValueError: nobody was seen by two cameras.
        CheckpointError, GalleryError, OSError: as the service at its start.
    """
    asyncio.run(_run(crops, sheet, identities, queries))


async def _run(crops: Sequence[Sample], sheet: Path, identities: int, queries: int) -> None:
    from app.runtime import DEFAULT_GALLERY, open_runtime

    by_identity: dict[str, list[Sample]] = defaultdict(list)
    for crop in crops:
        by_identity[crop.identity].append(crop)
    people = [person for person, shots in sorted(by_identity.items()) if len({s.camera for s in shots}) > 1]
    people = people[:: max(1, len(people) // identities)][:identities]
    if not people:
        raise ValueError("nobody in these pictures was seen by two cameras")
    story = _Story()
    with tempfile.TemporaryDirectory() as folder:
        async with open_runtime(Settings(data_dir=Path(folder), pose_models=(), gait_models=())) as runtime:
            probes = {person: min(by_identity[person], key=lambda crop: crop.camera) for person in people}
            shots = 0
            for person in people:
                enrolled = [crop for crop in by_identity[person] if crop.camera != probes[person].camera]
                embedded = await runtime.reid.embed([crop.jpeg for crop in enrolled])
                result = await runtime.reid.enrol(DEFAULT_GALLERY, person, embedded.crops())
                for shot, crop in zip(result.shots, enrolled, strict=True):
                    story.pictures[shot.shot_id] = (crop.identity, crop.jpeg)
                shots += len(enrolled)
            say(f"enrolled {len(people)} people, {shots} shots; model {runtime.reid.checkpoint.name}")
            say("decision: match from a similarity that one stranger in a hundred should reach; else unknown\n")
            say(f"{'query':12} {'camera':7} {'rank':>4} {'identity':12} {'similarity':>10} {'shots':>6}  decision")
            shown = set(people[:: max(1, len(people) // queries)][:queries])
            for person in people:
                await _ask(runtime.reid, probes[person], person in shown, story)
    write_contact_sheet(story.rows, sheet)
    share = 100 * story.right / len(people)
    say(f"\nrank-1 over all {len(people)} people: {share:.1f} %; contact sheet: {sheet}")


async def _ask(reid: "ReidPipeline", probe: Sample, show: bool, story: _Story) -> None:
    from app.gallery.domain import Search
    from app.runtime import DEFAULT_GALLERY

    embedded = await reid.embed([probe.jpeg])
    answer = await reid.query(DEFAULT_GALLERY, embedded.embeddings(), Search(SHOWN), embedded.timings)
    found = answer.ranking.identities
    story.right += found[0].identity_id == probe.identity
    if not show:
        return
    row = [Cell(probe.jpeg, f"query {probe.camera}\n{probe.identity}")]
    for place in found:
        picture = story.pictures[place.best_shot.shot_id][1]
        right = place.identity_id == probe.identity
        row.append(Cell(picture, f"{place.rank}. {place.similarity:.3f}\n{place.identity_id}", right))
    story.rows.append(row)
    for place in found[:3]:
        decision = answer.decision.verdict if place.rank == 1 else ""
        name, camera = (probe.identity, probe.camera) if place.rank == 1 else ("", "")
        say(
            f"{name:12} {camera:7} {place.rank:4} {place.identity_id:12} {place.similarity:10.3f} {place.shots:6}"
            f"  {decision}"
        )
