"""Augmentation of person crops for re-identification (the RGA recipe, plus optional colour jitter)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.transforms import Normalisation, resize, to_tensor

COLOUR_ORDERS = [list(order) for order in permutations(range(3))]
"""Orders of the three colour channels, the usual one first."""


def draw_colour_order(recolour_probability: float, rng: np.random.Generator) -> int:
    """Draw an index into `COLOUR_ORDERS`: the usual order, or with that probability any of the others."""
    if not recolour_probability or rng.random() >= recolour_probability:
        return 0
    return int(rng.integers(1, len(COLOUR_ORDERS)))


@dataclass(frozen=True)
class ReidAugmentation:
    """Random view of a crop: enlarged and cropped, mirrored, recoloured, partly erased.

    Attributes:
        size: (height, width) that comes out.
        crop_probability: how often the crop is enlarged by an eighth and cut back at random.
        flip_probability: how often it is mirrored.
        erase_probability: how often a rectangle is erased (Zhong et al. 2020), after normalisation, with zeros.
        colour_jitter: brightness, contrast and saturation change by a factor in 1 +- this; 0 is off, as in the paper.
    """

    size: tuple[int, int]
    crop_probability: float = 0.5
    flip_probability: float = 0.5
    erase_probability: float = 0.5
    colour_jitter: float = 0.0
    normalise: Normalisation = Normalisation()

    def __call__(self, images: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> Tensor:
        """Make a training batch (B, 3, *size) float32 of crops (H, W, 3) uint8."""
        views = torch.stack([self._view(to_tensor(image), rng) for image in images])
        if self.colour_jitter:
            views = _jitter(views, self.colour_jitter, rng)
        batch = self.normalise(views)
        for view in batch:
            if rng.random() < self.erase_probability:
                _erase(view, rng)
        return batch

    def _view(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        height, width = self.size
        if rng.random() < self.crop_probability:
            enlarged = resize(image, (height * 9 // 8, width * 9 // 8))
            top, left = rng.integers(height // 8 + 1), rng.integers(width // 8 + 1)
            image = enlarged[:, top : top + height, left : left + width]
        else:
            image = resize(image, self.size)
        return image.flip(2) if rng.random() < self.flip_probability else image


def _jitter(views: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    def factors() -> Tensor:
        return torch.from_numpy(rng.uniform(1 - strength, 1 + strength, (len(views), 1, 1, 1))).float()

    images = views.float() * factors()
    images = torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, factors())
    images = torch.lerp(images.mean(dim=1, keepdim=True), images, factors())
    return images.clamp(0, 255)


def _erase(view: Tensor, rng: np.random.Generator) -> None:
    _, height, width = view.shape
    for _ in range(100):
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = rng.uniform(0.3, 1 / 0.3)
        h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if h < height and w < width:
            top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
            view[:, top : top + h, left : left + w] = 0
            return
