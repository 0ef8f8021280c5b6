"""`gaitkeeper pose`: keypoints of the persons in picture files."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from app.commands.console import fail, say
from app.settings import Settings

if TYPE_CHECKING:
    from app.engine.served import ServedNetwork
    from app.pipelines.pose import PosedImage, PoseOptions, PosePipeline
    from models.predictors.pose import PoseEstimator

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
SIDE_BY_SIDE = 4


def pose(
    pictures: Annotated[list[Path], typer.Argument(help="Picture files, or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for one JSON file a picture.")] = None,
    render: Annotated[bool, typer.Option("--render", help="Also write each picture with its skeletons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture, a line each.")] = False,
    model: Annotated[str | None, typer.Option(help="Pose checkpoint.", show_default="the first available")] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave out persons with a lower score.", show_default="0.15")
    ] = None,
    max_persons: Annotated[int, typer.Option(min=1, max=100, help="Persons in a picture at most.")] = 20,
    flip_test: Annotated[
        bool | None, typer.Option(help="Average with the mirrored picture.", show_default="as the model says")
    ] = None,
) -> None:
    """Find the persons in pictures, and their keypoints.

    A picture that cannot be read is told on standard error and does not stop the rest; the exit code is then 1.
    """
    if render and out is None:
        fail("--render writes pictures; give --out DIR")
    # Torch takes seconds to import; --help should not wait for it.
    from app.pipelines.pose import PoseOptions
    from models.checkpoint import CheckpointError
    from models.detectors.base import DetectorError

    try:
        settings = Settings(pose_models=(model,)) if model else Settings()
        files = picture_files(pictures)
        job = _Job(out, render, as_json, PoseOptions(min_score, flip_test, max_persons))
        failed = asyncio.run(_run(settings, files, job))
    except (CheckpointError, DetectorError, ValidationError, ValueError, OSError) as error:
        fail(str(error))
    if failed:
        fail(f"{failed} of {len(files)} pictures could not be used")


def picture_files(paths: Sequence[Path]) -> dict[Path, Path]:
    """Each picture file once, folders opened; with its path below the folder that all have in common.

    Raises:
        ValueError: a path does not exist, or there is no picture in any.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path} does not exist")
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS) if path.is_dir() else [path]
        files += (file.resolve() for file in found)
    if not files:
        raise ValueError(f"there are no pictures ({', '.join(sorted(ENDINGS))}) in {', '.join(map(str, paths))}")
    common = Path(os.path.commonpath([file.parent for file in files]))
    return {file: file.relative_to(common) for file in files}


@dataclass(frozen=True)
class _Job:
    out: Path | None
    render: bool
    as_json: bool
    options: "PoseOptions"


async def _run(settings: Settings, files: dict[Path, Path], job: _Job) -> int:
    """Work through all files, a few at a time; how many failed."""
    from app.runtime import open_pose

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    gate = asyncio.Semaphore(SIDE_BY_SIDE)
    async with open_pose(settings) as pipeline:
        network = _network(pipeline)

        async def one(file: Path, name: Path) -> bool:
            async with gate:
                problem = await _one(pipeline, network, file, name, job)
            if problem:
                typer.echo(f"{name}: {problem}", err=True)
            bar.advance(task)
            return bool(problem)

        with bar:
            task = bar.add_task("pictures", total=len(files))
            return sum(await asyncio.gather(*(one(file, name) for file, name in files.items())))


def _network(pipeline: "PosePipeline") -> "ServedNetwork[PoseEstimator]":
    from app.errors import ProblemError

    try:
        return pipeline.network(None)
    except ProblemError as problem:
        raise ValueError(problem.detail) from None


async def _one(
    pipeline: "PosePipeline", network: "ServedNetwork[PoseEstimator]", file: Path, name: Path, job: _Job
) -> str:
    """Do one picture, and say what was wrong with it, if anything."""
    from app.errors import ProblemError

    try:
        data = await asyncio.to_thread(file.read_bytes)
        found = await pipeline.find(network, [data], [None], job.options)
        item = found.items[0]
        if isinstance(item, ProblemError):
            return item.detail
        answer = _answer(network, name, item)
        if job.out is not None:
            await asyncio.to_thread(_write, job.out / f"{name}.json", answer.encode())
            if job.render:
                await asyncio.to_thread(_write, job.out / f"{name}.png", await pipeline.draw(data, item, network))
    except OSError as error:
        return str(error)
    persons = len(item.poses)
    say(answer if job.as_json else f"{name}: {persons} {'person' if persons == 1 else 'persons'}")
    return ""


def _answer(network: "ServedNetwork[PoseEstimator]", name: Path, item: "PosedImage") -> str:
    from app.schemas.pose import PoseImage

    image = PoseImage.of(0, item, network.predictor.skeleton, None).model_dump(exclude_none=True, exclude={"index"})
    return json.dumps({"file": name.as_posix(), "model": network.checkpoint.name, **image})


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
