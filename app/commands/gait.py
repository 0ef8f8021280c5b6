"""`gaitkeeper gait`: ages of walkers in silhouettes and videos."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel, ValidationError

from app.commands.console import fail, say
from app.settings import Settings

if TYPE_CHECKING:
    from app.pipelines.gait import AgedWalk, GaitPipeline
    from models.gait.silhouettes import Silhouettes

PICTURES = {".png", ".bmp", ".jpg", ".jpeg", ".webp"}
ARCHIVES = {".zip", ".npz"}
VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"}


@dataclass(frozen=True)
class Job:
    """One walk or video: what it is called, what it is, and its files."""

    name: str
    kind: str
    files: tuple[Path, ...]


def gait(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Frames of one walk; folders, one walk each; zip or npz files; videos of a fixed camera."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for a picture and a JSON file of each walk.")] = None,
    gei: Annotated[bool, typer.Option("--gei", help="Each picture is a gait energy image.")] = False,
    model: Annotated[str | None, typer.Option(help="Gait checkpoint.", show_default="the first available")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Tell the ages of walkers, with intervals and warnings.

    A walk that cannot be used is told on standard error and does not stop the rest; the exit code is then 1.
    """
    # Torch takes seconds to import; --help should not wait for it.
    from models.checkpoint import CheckpointError

    try:
        jobs = find_jobs(sources, gei)
        settings = Settings(gait_models=(model,)) if model else Settings()
        failed = asyncio.run(_run(settings, jobs, out, as_json))
    except (CheckpointError, ValidationError, ValueError, OSError) as error:
        fail(str(error))
    if failed:
        fail(f"{failed} of {len(jobs)} could not be used")


def find_jobs(sources: Sequence[Path], gei: bool = False) -> list[Job]:
    """What there is to do: loose pictures are one walk, and so are those of each folder.

    Raises:
        ValueError: a source does not exist, is of an unknown kind, or holds nothing.
    """
    jobs, loose = [], []
    for source in sources:
        ending = source.suffix.lower()
        if not source.exists():
            raise ValueError(f"{source} does not exist")
        if source.is_dir():
            jobs += _jobs_in(source, gei)
        elif ending in VIDEOS:
            jobs.append(Job(source.stem, "video", (source,)))
        elif ending in ARCHIVES:
            jobs.append(Job(source.stem, "walk", (source,)))
        elif ending in PICTURES:
            loose.append(source)
        else:
            raise ValueError(f"{source} is neither a picture ({', '.join(sorted(PICTURES))}), an archive, nor a video")
    jobs += [Job(path.stem, "gei", (path,)) for path in loose] if gei else []
    jobs += [Job(loose[0].resolve().parent.name, "walk", tuple(loose))] if loose and not gei else []
    if not jobs:
        raise ValueError(f"there are no pictures, archives or videos in {', '.join(map(str, sources))}")
    return jobs


def _jobs_in(folder: Path, gei: bool) -> list[Job]:
    """A walk for each folder with pictures below, and one for each archive and video."""
    jobs = []
    for place in sorted({folder, *(path for path in folder.rglob("*") if path.is_dir())}):
        files = sorted(path for path in place.iterdir() if path.is_file())
        name = "-".join(place.relative_to(folder).parts) or folder.resolve().name
        pictures = tuple(path for path in files if path.suffix.lower() in PICTURES)
        if pictures and not gei:
            jobs.append(Job(name, "walk", pictures))
        elif gei:
            jobs += [Job(path.stem, "gei", (path,)) for path in pictures]
        jobs += [Job(path.stem, "walk", (path,)) for path in files if path.suffix.lower() in ARCHIVES]
        jobs += [Job(path.stem, "video", (path,)) for path in files if path.suffix.lower() in VIDEOS]
    return jobs


async def _run(settings: Settings, jobs: Sequence[Job], out: Path | None, as_json: bool) -> int:
    """Do all jobs; how many failed."""
    from app.errors import ProblemError
    from app.runtime import open_gait

    failed = 0
    async with open_gait(settings) as pipeline:
        for job in jobs:
            try:
                await _one(pipeline, job, out, as_json)
            except (ProblemError, OSError) as problem:
                typer.echo(f"{job.name}: {problem}", err=True)
                failed += 1
    return failed


async def _one(pipeline: "GaitPipeline", job: Job, out: Path | None, as_json: bool) -> None:
    from app.schemas.gait import GaitAnswer, GaitVideoAnswer

    network = pipeline.network(None)
    name = network.checkpoint.name
    files = [await asyncio.to_thread(path.read_bytes) for path in job.files]
    if job.kind == "video":
        seen = await pipeline.ages_of_video(network, files[0])
        for walk, aged in zip(seen.video.walks, seen.ages, strict=True):
            _report(f"{job.name}-track{walk.number}", aged, walk.strip, out, None if as_json else "")
        answer: BaseModel = GaitVideoAnswer.of(name, seen)
        _write_json(out, job.name, answer)
        _tell(answer.model_dump_json() if as_json else "", [f"{job.name}: {n.detail}" for n in seen.notices])
        return
    if job.kind == "gei":
        walk_age, silhouettes = await pipeline.age_of_gei(network, files[0]), None
    else:
        walk_age, sent = await pipeline.age_of_files(network, files, [path.name for path in job.files])
        silhouettes = sent if walk_age.gei is None else sent[walk_age.gei.indices]
    answer = GaitAnswer.answer(name, walk_age)
    _write_json(out, job.name, answer)
    _report(job.name, walk_age, silhouettes, out, answer.model_dump_json() if as_json else "")


def _report(name: str, walk: "AgedWalk", silhouettes: "Silhouettes | None", out: Path | None, line: str | None) -> None:
    """Write the picture of one walk, and print a line: the JSON, what a person wants to read, or None for nothing."""
    from app.gait_pictures import draw_walk
    from app.render import encode_png

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        warnings = [notice.code for notice in walk.notices]
        picture = draw_walk(name, walk.age, walk.image, walk.gei, silhouettes, warnings)
        (out / f"{name}.png").write_bytes(encode_png(picture))
    if line is not None:
        held = walk.age.interval
        interval = f", {held.low:.0f} to {held.high:.0f} with {100 * held.level:.0f} %" if held else ""
        codes = ", ".join(notice.code for notice in walk.notices)
        plain = f"{name}: {walk.age.median:.0f} years{interval}{f'  ({codes})' if codes else ''}"
        say(line or plain)


def _write_json(out: Path | None, name: str, answer: BaseModel) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(answer.model_dump_json(indent=1))


def _tell(line: str, remarks: Sequence[str]) -> None:
    if line:
        say(line)
    for remark in remarks:
        typer.echo(remark, err=True)
