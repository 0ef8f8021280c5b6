"""`gaitkeeper weights pull` and `weights import`: official files become checkpoints of a folder."""

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from app.commands.console import fail, refuse, say
from app.commands.parsing import parse_arguments, parse_size
from app.settings import Settings

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint, Source
    from models.importing import Converted

HASH_DIGITS = 64

WeightsDir = Annotated[
    Path | None,
    typer.Option(help="Folder with manifest.toml.", show_default="GAITKEEPER_WEIGHTS_DIR or the bundled one"),
]
Sha256 = Annotated[str, typer.Option(help="SHA-256 of the official file, from someone you trust.")]
KeepHeads = Annotated[bool, typer.Option("--keep-heads", help="Keep what only training needs.")]


def pull(
    name: Annotated[str, typer.Argument(help="Checkpoint that `gaitkeeper weights list` shows.")],
    sha256: Sha256 = "",
    offline: Annotated[bool, typer.Option("--offline", help="Never connect; also GAITKEEPER_OFFLINE=1.")] = False,
    keep_heads: KeepHeads = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Download an official checkpoint, check its SHA-256, and convert it.

    What was interrupted goes on where it stopped. Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
    """
    from models.checkpoint import CheckpointError, load_network
    from models.fetch import BrowserNeededError, FetchError
    from models.manifest import find_checkpoint

    folder = chosen_folder(weights_dir)
    try:
        checkpoint = find_checkpoint(name, folder)
        if checkpoint.source is None or not checkpoint.is_official or checkpoint.is_available(folder):
            load_network(checkpoint, folder)
            say(f"{name} is here already; sha256 and parameters fit")
            return
        _pull(checkpoint, checkpoint.source, sha256, offline or _settings().offline, keep_heads, folder)
    except BrowserNeededError as error:
        fail(f"{error}; {how_to_get(checkpoint, by_hand=True)}")
    except (CheckpointError, FetchError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error}; --weights-dir chooses another folder")


def import_(
    file: Annotated[Path, typer.Argument(help="Official file: .pth, .pth.tar, .pt or .safetensors.")],
    network: Annotated[str, typer.Option("--as", help="Network that it is of.", metavar="NETWORK")],
    name: Annotated[str, typer.Option(help="Checkpoint that it is, or that it becomes.")] = "",
    argument: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the network, where the file cannot tell; repeatable.")
    ] = None,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH of what the network sees, if not the usual.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights, unknown if not given.")] = "",
    sha256: Sha256 = "",
    keep_heads: KeepHeads = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Convert an official file to safetensors with a manifest entry. No code in the file is run.

    Wrapped dictionaries and prefixed names are understood, and so is RRID's pickled network. What is changed is said;
    what does not fit exactly is refused.
    """
    import models
    from models.checkpoint import CheckpointError
    from models.importing import convert, new_checkpoint, store, verify_source
    from models.manifest import official_checkpoint

    folder = chosen_folder(weights_dir)
    if network not in models.names():
        fail(f"--as is {network!r}, which is no network; choose one of {', '.join(models.names())}")
    try:
        _check_hash(sha256)
        given, other_size = parse_arguments(argument or []), parse_size(size) if size else None
        actual = verify_source(file, sha256)
        draft = official_checkpoint(network, name, actual, folder)
        converted = convert(file, network, (draft.arguments if draft else {}) | given, keep_heads, actual)
        if draft is None:
            draft = new_checkpoint(converted, name, licence or "unknown", other_size)
            _refuse_collision(draft.name, folder, chosen=bool(name))
        elif size or licence:
            raise ValueError(f"this is the official {draft.name}, which has its own size and licence")
        elif draft.source and not draft.source.sha256:
            say(f"no SHA-256 of {draft.source.file} is published: that this is the same file rests on your word")
        _report(converted, store(converted, draft, folder), folder)
    except (CheckpointError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error}; --weights-dir chooses another folder")


def chosen_folder(weights_dir: Path | None) -> Path:
    """The folder of an option, else of the settings, else the bundled one."""
    from models.checkpoint import bundled_weights_dir

    return weights_dir or _settings().weights_dir or bundled_weights_dir()


def folder_with_manifest(weights_dir: Path | None) -> Path:
    """The folder that `chosen_folder` gives; the command ends if no weights are described there."""
    from models.checkpoint import MANIFEST

    folder = chosen_folder(weights_dir)
    if not (folder / MANIFEST).is_file():
        refuse(f"the weights folder {folder} has no {MANIFEST}; --weights-dir chooses another")
    return folder


def how_to_get(checkpoint: "Checkpoint", by_hand: bool = False) -> str:
    """What to do for an official checkpoint that is not here."""
    from models.fetch import needs_browser

    assert checkpoint.source is not None
    file = checkpoint.source.file
    if by_hand or needs_browser(checkpoint.origin):
        command = f"gaitkeeper weights import {file} --as {checkpoint.network} --name {checkpoint.name}"
        return f"download {file} from {checkpoint.origin} in a browser, then `{command}`"
    unknown = "" if checkpoint.source.sha256 else " --sha256 HASH"
    return f"`gaitkeeper weights pull {checkpoint.name}{unknown}`"


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))


def _pull(
    checkpoint: "Checkpoint", source: "Source", sha256: str, offline: bool, keep_heads: bool, folder: Path
) -> None:
    from models.fetch import BrowserNeededError, needs_browser
    from models.importing import convert, store

    if needs_browser(checkpoint.origin):
        raise BrowserNeededError(f"{checkpoint.origin} is a web page, no file")
    known = _known_hash(checkpoint, source, sha256)
    download = folder / "downloads" / checkpoint.name / source.file
    _fetch_with_progress(checkpoint.origin, download, known, offline)
    if len(known) < HASH_DIGITS:
        say(f"only the first {len(known)} digits of the SHA-256 are known; they fit")
    converted = convert(download, checkpoint.network, checkpoint.arguments, keep_heads, known)
    _report(converted, store(converted, checkpoint, folder), folder)
    _remove(download)


def _remove(download: Path) -> None:
    """Delete a file, and the folders above it that were made for it."""
    download.unlink()
    download.parent.rmdir()
    with contextlib.suppress(OSError):  # another download may be under way
        download.parent.parent.rmdir()


def _check_hash(given: str) -> None:
    if given and not re.fullmatch(rf"[0-9a-fA-F]{{{HASH_DIGITS}}}", given):
        raise ValueError(f"--sha256 must have {HASH_DIGITS} hexadecimal digits")


def _known_hash(checkpoint: "Checkpoint", source: "Source", given: str) -> str:
    _check_hash(given)
    if given and not given.lower().startswith(source.sha256):
        raise ValueError(f"--sha256 contradicts the manifest, which has {source.sha256}")
    if not given and not source.sha256:
        raise ValueError(
            f"no SHA-256 of {source.file} is published, so a download could not be verified; give --sha256 from "
            f"someone you trust, or {how_to_get(checkpoint, by_hand=True)}"
        )
    return given.lower() or source.sha256


def _fetch_with_progress(url: str, path: Path, sha256: str, offline: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from models.fetch import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(path.name, total=None)
        fetch(url, path, sha256, offline, lambda done, total: bar.update(task, completed=done, total=total))


def _refuse_collision(name: str, folder: Path, chosen: bool) -> None:
    """A new checkpoint may replace what was imported before if the user chose its name, and never a bundled one."""
    from models.checkpoint import bundled_weights_dir
    from models.manifest import known_checkpoints

    if name in known_checkpoints(bundled_weights_dir()) and folder != bundled_weights_dir():
        raise ValueError(f"{name!r} is the name of a checkpoint that everybody knows; choose another with --name")
    other = known_checkpoints(folder).get(name)
    if other is not None and (other.source is None or not chosen):
        raise ValueError(f"there is a checkpoint {name!r} already; choose another name with --name")


def _report(converted: "Converted", checkpoint: "Checkpoint", folder: Path) -> None:
    for note in converted.notes:
        say(f"- {note}")
    built = ", ".join(f"{key}={value}" for key, value in checkpoint.arguments.items())
    say(f"- fits {checkpoint.network}({built}) exactly")
    say(f"source {converted.file}: sha256 {converted.sha256}")
    say(f"wrote {folder / checkpoint.file}: sha256 {checkpoint.sha256}")
    say(f"{checkpoint.name} is in {folder / 'manifest.toml'}; licence: {checkpoint.licence}")
