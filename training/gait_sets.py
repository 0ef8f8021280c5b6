"""Gait energy images with ages, in memory: rendered walkers, or a data set on disk."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.gait.gei import NoSilhouetteError, gait_energy_image
from training.gait_datasets import load_oulp_age, read_gei
from training.gait_evaluation import resized
from training.progress import watched
from training.walker import render_walk

FEMALE, MALE, UNKNOWN = 0, 1, -1
SYNTHETIC = "synthetic:SEED:COUNT"
SYNTHETIC_DATA = re.compile(r"synthetic:(\d+):(\d+)$")
BLOCK = 500


@dataclass(frozen=True)
class GeiSet:
    """Walks as a network sees them.

    Attributes:
        source: what was read or rendered, for reports.
        geis: (N, h, w) uint8, 255 where the body always is.
        ages: (N,) whole years.
        genders: (N,) `FEMALE`, `MALE` or `UNKNOWN`.
    """

    source: str
    geis: NDArray[np.uint8]
    ages: NDArray[np.int64]
    genders: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ages)

    def subset(self, indices: NDArray[np.int64]) -> "GeiSet":
        """The walks at `indices`, in that order."""
        return GeiSet(self.source, self.geis[indices], self.ages[indices], self.genders[indices])


def load_geis(data: str, split: str, size: tuple[int, int], cache: Path | None = None) -> GeiSet:
    """Render or read walks.

    Args:
        data: `synthetic:SEED:COUNT`, or the folder of OULP-Age in its official layout.
        split: half of OULP-Age, "train" or "test"; walkers have none, another seed is another set.
        size: (height, width) of the gait energy images.
        cache: folder in which rendered walks are kept; None keeps none.

    Raises:
        ValueError: it is neither, the folder lacks something, or no walkers are asked for.
    """
    match = SYNTHETIC_DATA.match(data)
    if match and int(match[2]):
        return _synthetic(int(match[1]), int(match[2]), size, cache)
    if data.startswith("synthetic"):
        raise ValueError(f"{data!r} does not say which walkers; write it as {SYNTHETIC}, for example synthetic:1:20000")
    walks = load_oulp_age(Path(data), split)
    geis = np.stack([resized(read_gei(path), size) for path in watched(walks.paths, "gait energy images")])
    return GeiSet(walks.source, geis, walks.ages, walks.genders)


def render_geis(seed: int, numbers: Sequence[int], size: tuple[int, int]) -> GeiSet:
    """Render walkers and turn their silhouettes into gait energy images, by the path that served walks take.

    The few whose silhouettes are too broken to be used are left out, as the service would refuse them.
    """
    geis, ages, genders = [], [], []
    for number in numbers:
        walk = render_walk(seed, number)
        try:
            image = gait_energy_image(walk.silhouettes, size).image
        except NoSilhouetteError:
            continue
        geis.append(np.round(255 * image).astype(np.uint8))
        ages.append(walk.age)
        genders.append(FEMALE if walk.female else MALE)
    images = np.stack(geis) if geis else np.zeros((0, *size), np.uint8)
    return GeiSet("", images, np.array(ages, np.int64), np.array(genders, np.int64))


def _synthetic(seed: int, count: int, size: tuple[int, int], cache: Path | None) -> GeiSet:
    blocks = [range(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    folder = cache and cache / f"{size[0]}x{size[1]}-{_fingerprint(size)}"
    parts = [_block(seed, numbers, size, folder) for numbers in watched(blocks, f"{count} walkers")]
    ages, genders = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ages", "genders"))
    source = f"synthetic:{seed}:{count}, {len(ages)} walkers"
    return GeiSet(source, np.concatenate([part.geis for part in parts]), ages, genders)


def _block(seed: int, numbers: range, size: tuple[int, int], folder: Path | None) -> GeiSet:
    """Some walkers of a seed, from the cache if they are there; rendering is long, and may be broken off."""
    if folder is None:
        return render_geis(seed, numbers, size)
    path = folder / f"{seed}-{numbers.start}-{numbers.stop}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return GeiSet("", stored["geis"], stored["ages"], stored["genders"])
    rendered = render_geis(seed, numbers, size)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(part, geis=rendered.geis, ages=rendered.ages, genders=rendered.genders)
    part.replace(path)
    return rendered


def _fingerprint(size: tuple[int, int]) -> str:
    """Changes whenever walkers come out otherwise than before, so that no stale walkers are taken from a cache."""
    sample = render_geis(0, range(8), size)
    return hashlib.sha256(sample.geis.tobytes()).hexdigest()[:8]
