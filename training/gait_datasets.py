"""Reading gait data sets with ages: OULP-Age."""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset_files import require, require_pictures

LISTS = {"train": "GEI_IDList_train.txt", "test": "GEI_IDList_test.txt"}
AGES = "Age_gender_info.csv"
GEIS = "GEI"
GENDERS = {"F": 0, "M": 1}


@dataclass(frozen=True)
class GaitAges:
    """Walks of subjects whose age is known.

    Attributes:
        source: what was read, for reports.
        paths: (N,) one picture of a gait energy image each.
        ages: (N,) whole years.
        genders: (N,) 0 female, 1 male, -1 where the table does not say.
    """

    source: str
    paths: list[Path]
    ages: NDArray[np.int64]
    genders: NDArray[np.int64]


def load_oulp_age(root: Path, split: str = "test") -> GaitAges:
    """Read one half of OULP-Age (Xu et al. 2017) as it is published.

    `GEI_IDList_train.txt` and `GEI_IDList_test.txt` name a subject a line; `Age_gender_info.csv` has a line of headings
    and then number, age and gender of each subject; the gait energy image of a subject is `GEI/SUBJECT.png`.

    Args:
        root: the data set's folder.
        split: "train" or "test".

    Raises:
        ValueError: a file, a subject's age or picture is missing; the message says which.
    """
    if split not in LISTS:
        raise ValueError(f"the split is {split!r}; choose from {', '.join(LISTS)}")
    listed, table, folder = (require(root / name, "OULP-Age") for name in (LISTS[split], AGES, GEIS))
    subjects, known = listed.read_text().split(), _ages_and_genders(table)
    unknown = [subject for subject in subjects if _number(subject) not in known]
    if unknown or not subjects:
        raise ValueError(f"{table} has no age of {unknown[0]}" if unknown else f"{listed} names nobody")
    paths = [folder / f"{subject}.png" for subject in subjects]
    require_pictures(paths)
    source = f"{root.resolve().name}: {listed.name}, {len(subjects)} subjects"
    ages, genders = zip(*(known[_number(subject)] for subject in subjects), strict=True)
    return GaitAges(source, paths, np.array(ages, np.int64), np.array(genders, np.int64))


def read_gei(path: Path) -> NDArray[np.uint8]:
    """Read a gait energy image (H, W), 255 where the body always is.

    Raises:
        ValueError: it is not a picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path} is not a picture that can be read")
    return np.asarray(image, np.uint8)


def _number(subject: str) -> str:
    """The table writes numbers without the leading zeros of the lists."""
    return subject.lstrip("0")


def _ages_and_genders(path: Path) -> dict[str, tuple[int, int]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    try:
        return {_number(row[0]): (int(row[1]), _gender(row[2:])) for row in rows if row}
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path} does not have a number and an age in each line: {error}") from error


def _gender(cells: list[str]) -> int:
    return GENDERS.get(cells[0].strip().upper()[:1], -1) if cells else -1
