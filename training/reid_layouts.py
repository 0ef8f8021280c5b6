"""Where re-identification data sets keep which crop: every layout that is read, found by what lies in the folder.

- Indexed: `index.csv` with the columns file, pid, cam and split, perhaps boxes; pictures beside it, or in a zip file.
- Market-1501 and all that took over its layout (DukeMTMC-reID): the folders `bounding_box_train`, `query` and
  `bounding_box_test`; names begin with identity and camera (`0002_c1s1_000451_03.jpg`); identity -1 is left out.
- MSMT17: `list_train.txt`, `list_val.txt` (which is trained on too), `list_query.txt` and `list_gallery.txt`, each line
  a path and an identity; pictures in `train` and `test`, or in `mask_train_v2` and `mask_test_v2`; the third part of a
  name is the camera.
- CUHK03-NP, the new protocol as Zhong et al. publish it: `labeled` and `detected`, each in Market-1501's layout.
- CUHK03 as RGA's code prepares it: `splits_new_labeled.json`, `splits_classic_labeled.json` and the same for
  `detected`, lists of splits with [path, identity, camera] each; pictures in `images_labeled` and `images_detected`.
"""

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from training.dataset_files import read_json, require, require_any, require_pictures, zip_members

MARKET_NAME = re.compile(r"(-?\d+)_c(\d+)")
MARKET_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
MSMT_LISTS = {
    "train": ("list_train.txt", "list_val.txt"),
    "query": ("list_query.txt",),
    "gallery": ("list_gallery.txt",),
}
MSMT_FOLDERS = {
    "train": ("train", "mask_train_v2"),
    "query": ("test", "mask_test_v2"),
    "gallery": ("test", "mask_test_v2"),
}
CUHK03_BOXES = ("labeled", "detected")
PICTURES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class CropFile:
    """One crop of a data set, not yet read.

    Attributes:
        name: as the data set has it.
        identity, camera: who it shows, and from where.
        path: of the picture, or of the zip file that holds it.
        member: the picture's name within that zip file; empty for a picture of its own.
    """

    name: str
    identity: int
    camera: int
    path: Path
    member: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which part of a data set.

    Attributes:
        split: "train", "query" or "gallery".
        boxes: "labeled" or "detected", where crops of both kinds exist; None takes all that an index lists.
        classic_set: number of one of CUHK03's 20 classic test sets; None is its new protocol.
    """

    split: str
    boxes: str | None = None
    classic_set: int | None = None


@dataclass(frozen=True)
class Layout:
    """One way to lay out a data set.

    Attributes:
        name: for reports.
        marks: files and folders; one of them is enough to recognise the layout.
        crops: lists the crops of one part; ValueError where something is missing.
        boxes: the kinds of boxes of the test part; empty where there is no choice.
        classic: whether it can hold what CUHK03's classic protocol is counted on.
    """

    name: str
    marks: tuple[str, ...]
    crops: Callable[[Path, Wanted], list[CropFile]]
    boxes: Callable[[Path], tuple[str, ...]]
    classic: bool = False


def find_layout(root: Path) -> Layout:
    """Recognise the layout of a data set's folder.

    Raises:
        ValueError: none fits; the message says what was looked for.
    """
    for layout in LAYOUTS:
        if any((root / mark).exists() for mark in layout.marks):
            return layout
    looked_for = "; ".join(f"{' or '.join(layout.marks)} ({layout.name})" for layout in LAYOUTS)
    raise ValueError(f"{root} has no layout that is read here; looked for {looked_for}{_advice(root)}")


def list_crops(root: Path, wanted: Wanted) -> list[CropFile]:
    """List the crops of one part of a data set, in the order of its list, or by name where it has none.

    Raises:
        ValueError: no layout fits, the part is missing or empty, or one of its pictures is not there; the message says
            which file was looked for, and where.
    """
    if wanted.split not in MARKET_FOLDERS:
        raise ValueError(f"the split is {wanted.split!r}; choose from {', '.join(MARKET_FOLDERS)}")
    crops = find_layout(root).crops(root, wanted)
    if not crops:
        boxes = f" with boxes {wanted.boxes!r}" if wanted.boxes else ""
        raise ValueError(f"{root} has no images in the split {wanted.split!r}{boxes}")
    require_pictures([crop.path for crop in crops])
    return crops


def read_pictures(crops: Sequence[CropFile]) -> list[bytes]:
    """The encoded pictures of some crops, in their order; each zip file is opened once.

    Raises:
        ValueError: a zip file is damaged.
        OSError: a picture cannot be read.
    """
    with ExitStack() as stack:
        holders = {crop.path for crop in crops if crop.member}
        archives = {path: stack.enter_context(zipfile.ZipFile(path)) for path in holders}
        return [_member(archives[crop.path], crop) if crop.member else crop.path.read_bytes() for crop in crops]


def named_crops(folder: Path) -> list[CropFile]:
    """Pictures of a folder whose names begin with identity and camera, by name; identity -1 is left out."""
    crops = []
    for path in sorted(folder.iterdir()):
        match = MARKET_NAME.match(path.name)
        if match and path.suffix.lower() in PICTURES and int(match[1]) >= 0:
            crops.append(CropFile(path.name, int(match[1]), int(match[2]), path))
    return crops


def _advice(root: Path) -> str:
    if not (root / "cuhk03_release").is_dir():
        return ""
    return "; cuhk03_release holds cuhk-03.mat, which RGA's code unpacks into one of these layouts"


def _refuse_boxes(root: Path, wanted: Wanted) -> None:
    if wanted.boxes:
        raise ValueError(f"{root} has one kind of boxes, so {wanted.boxes!r} cannot be chosen")


def _member(archive: zipfile.ZipFile, crop: CropFile) -> bytes:
    try:
        return archive.read(crop.member)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{crop.member} in {crop.path} is damaged: {error}") from error


def _indexed(root: Path, wanted: Wanted) -> list[CropFile]:
    if wanted.classic_set:
        raise ValueError(f"{root} has one test set, number 0, not {wanted.classic_set}")
    rows = [
        row
        for row in _index(root)
        if row["split"] == wanted.split and (wanted.boxes is None or row["boxes"] == wanted.boxes)
    ]
    archives = sorted(root.glob("*.zip"))
    if not archives:
        return [CropFile(row["file"], *_who_and_where(row, root), root / row["file"]) for row in rows]
    members = zip_members(archives[0])
    paths = [row["file"] if row["file"] in members else f"images/{row['file']}" for row in rows]
    lost = [path for path in paths if path not in members]
    if lost:
        raise ValueError(f"{archives[0]} lacks {len(lost)} of {len(paths)} pictures; the first is {lost[0]}")
    return [
        CropFile(row["file"], *_who_and_where(row, root), archives[0], path)
        for row, path in zip(rows, paths, strict=True)
    ]


def _index(root: Path) -> list[dict[str, str]]:
    path = root / "index.csv"
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            absent, rows = {"file", "pid", "cam", "split"}.difference(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of comma-separated values: {error}") from error
    if absent:
        raise ValueError(f"{path} has no column {min(absent)}")
    return [{"boxes": "", **row} for row in rows]


def _who_and_where(row: dict[str, str], root: Path) -> tuple[int, int]:
    try:
        return int(row["pid"]), int(row["cam"])
    except (TypeError, ValueError):  # a line that ends early has None
        raise ValueError(
            f"{root / 'index.csv'}: {row['file']} has pid {row['pid']!r} and cam {row['cam']!r}; both are whole numbers"
        ) from None


def _indexed_boxes(root: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["boxes"] for row in _index(root) if row["split"] == "query" and row["boxes"]))


def _market(root: Path, wanted: Wanted) -> list[CropFile]:
    _refuse_boxes(root, wanted)
    return named_crops(require(root / MARKET_FOLDERS[wanted.split], "Market-1501"))


def _msmt17(root: Path, wanted: Wanted) -> list[CropFile]:
    _refuse_boxes(root, wanted)
    folder = require_any(root, MSMT_FOLDERS[wanted.split], "MSMT17")
    crops = []
    for name in MSMT_LISTS[wanted.split]:
        for line in require(root / name, "MSMT17").read_text().splitlines():
            path, _, identity = line.strip().rpartition(" ")
            if path:
                crops.append(CropFile(path, int(identity), int(Path(path).name.split("_")[2]), folder / path))
    return crops


def _cuhk03_np(root: Path, wanted: Wanted) -> list[CropFile]:
    return _market(require(root / _chosen_boxes(wanted), "CUHK03-NP"), Wanted(wanted.split))


def _cuhk03(root: Path, wanted: Wanted) -> list[CropFile]:
    boxes = _chosen_boxes(wanted)
    protocol = "new" if wanted.classic_set is None else "classic"
    path = require(root / f"splits_{protocol}_{boxes}.json", "CUHK03")
    splits = read_json(path)
    number = wanted.classic_set or 0
    if not 0 <= number < len(splits):
        raise ValueError(f"{path} has the sets 0 to {len(splits) - 1}, not {number}")
    # The lists name pictures by where they lay on the machine that wrote them.
    names = [(Path(picture).name, identity, camera) for picture, identity, camera in splits[number][wanted.split]]
    folder = require(root / f"images_{boxes}", "CUHK03")
    return [CropFile(name, int(identity), int(camera), folder / name) for name, identity, camera in names]


def _chosen_boxes(wanted: Wanted) -> str:
    if wanted.boxes not in CUHK03_BOXES:
        raise ValueError(f"CUHK03 has boxes {' and '.join(CUHK03_BOXES)}, not {wanted.boxes}; choose one")
    return wanted.boxes


LAYOUTS = (
    Layout("indexed", ("index.csv",), _indexed, _indexed_boxes, classic=True),
    Layout("Market-1501", tuple(MARKET_FOLDERS.values()), _market, lambda root: ()),
    Layout("MSMT17", tuple(name for names in MSMT_LISTS.values() for name in names), _msmt17, lambda root: ()),
    Layout("CUHK03-NP", CUHK03_BOXES, _cuhk03_np, lambda root: CUHK03_BOXES),
    Layout(
        "CUHK03",
        tuple(f"splits_{protocol}_{boxes}.json" for protocol in ("new", "classic") for boxes in CUHK03_BOXES),
        _cuhk03,
        lambda root: CUHK03_BOXES,
        classic=True,
    ),
)
