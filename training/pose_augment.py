"""Augmentation of pose training: a whole batch at once, crops and keypoints alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Rng = np.random.Generator


@dataclass(frozen=True)
class PoseAugmentation:
    """Random views of square crops: turned, scaled, shifted, mirrored, recoloured, partly covered.

    Attributes:
        size: side of the views in pixels.
        flip_permutation: `Skeleton.flip_permutation`.
        degrees: the largest turn; the usual one is half as large.
        scale: the largest factor of enlargement, and the inverse of the smallest.
        shift: the largest shift along an axis, as a share of the side.
        flip_probability: how often a view is mirrored.
        colour: brightness, contrast, saturation and each channel change by a factor in 1 +- this.
        cover_probability: how often a rectangle is painted over.
    """

    size: int
    flip_permutation: Sequence[int]
    degrees: float = 40.0
    scale: float = 1.35
    shift: float = 0.08
    flip_probability: float = 0.5
    colour: float = 0.25
    cover_probability: float = 0.3

    def __call__(
        self, crops: NDArray[np.uint8], points: NDArray[np.floating], rng: Rng
    ) -> tuple[Tensor, Tensor, NDArray[np.bool_]]:
        """Make views of crops (B, S, S, 3).

        Args:
            crops: RGB, black where they leave the picture.
            points: (B, K, 2) x, y in crop pixels; the centre of the top-left pixel is (0, 0).
            rng: all chance comes from it.

        Returns:
            views: (B, 3, size, size) float32 in 0..1.
            points: (B, K, 2) float32 in pixels of the views, left and right exchanged where mirrored.
            mirrored: (B,) which views are mirrored.
        """
        mirrored = rng.random(len(crops)) < self.flip_probability
        back = self._draw_maps(mirrored, rng)
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)
        grid = F.affine_grid(back, [len(crops), 3, self.size, self.size], align_corners=False)
        views = F.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)
        views = _recolour(views, self.colour, rng)
        _cover(views, self.cover_probability, rng)
        return views, self._move(points, back, crops.shape[1], mirrored), mirrored

    def _draw_maps(self, mirrored: NDArray[np.bool_], rng: Rng) -> Tensor:
        """Affine maps (B, 2, 3) from views to crops, both counted from -1 to 1 between their edges."""
        count = len(mirrored)
        angle = np.deg2rad(np.clip(rng.normal(0, self.degrees / 2, count), -self.degrees, self.degrees))
        factor = np.exp(rng.uniform(-1, 1, count) * np.log(self.scale))
        cosine, sine = np.cos(angle) / factor, np.sin(angle) / factor
        linear = np.stack((cosine, -sine, sine, cosine), axis=-1).reshape(count, 2, 2)
        linear[..., 0] *= np.where(mirrored, -1, 1)[:, None]
        shift = rng.uniform(-2 * self.shift, 2 * self.shift, (count, 2, 1))
        return torch.from_numpy(np.concatenate((linear, shift), axis=-1)).float()

    def _move(self, points: NDArray[np.floating], back: Tensor, side: int, mirrored: NDArray[np.bool_]) -> Tensor:
        swapped = np.where(mirrored[:, None, None], points[:, list(self.flip_permutation)], points)
        relative = torch.from_numpy((2 * swapped + 1) / side - 1).float()
        forth = torch.linalg.inv(back[..., :2])
        moved: Tensor = (relative - back[..., 2][:, None]) @ forth.transpose(1, 2)
        return moved.add(1).mul(self.size).sub(1).div(2)


def _recolour(views: Tensor, strength: float, rng: Rng) -> Tensor:
    def factors(channels: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(1 - strength, 1 + strength, (len(views), channels, 1, 1))).float()

    views = views * (factors() * factors(3))
    views = torch.lerp(views.mean(dim=(1, 2, 3), keepdim=True), views, factors())
    return torch.lerp(views.mean(dim=1, keepdim=True), views, factors()).clamp_(0, 1)


def _cover(views: Tensor, probability: float, rng: Rng) -> None:
    side = views.shape[2]
    for view in views:
        if rng.random() < probability:
            height, width = rng.integers(side // 10, side // 3, 2)
            top, left = rng.integers(0, side - height), rng.integers(0, side - width)
            colour = torch.from_numpy(rng.random((3, 1, 1))).float()
            view[:, top : top + height, left : left + width] = colour
