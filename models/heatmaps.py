"""From heatmaps to points: the decoders that the published figures were measured with, and mirrored passes.

All decoders take (B, K, H, W) and return points (B, K, 2), x before y, with scores (B, K), the heights of the peaks.
Where several pixels are equally high the first in raster order is the peak.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Find each map's highest pixel.

    Args:
        heatmaps: (B, K, H, W) raw network output.

    Returns:
        points: (B, K, 2) x, y in whole heatmap pixels, at least float32; (0, 0) is the top-left pixel.
        scores: (B, K) peak heights; confidence, not probability.

    Raises:
        ValueError: `heatmaps` is not four-dimensional.
    """
    if heatmaps.ndim != 4:
        raise ValueError(f"heatmaps have the shape (B, K, H, W), not {tuple(heatmaps.shape)}")
    flat = heatmaps.flatten(2)
    index = flat.argmax(dim=2)
    width = heatmaps.shape[3]
    points = torch.stack((index % width, index // width), dim=2)
    # bfloat16 cannot hold a quarter of a pixel beyond pixel 64.
    return points.to(torch.promote_types(heatmaps.dtype, torch.float32)), flat.gather(2, index[..., None])[..., 0]


def positive_peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Find each map's highest pixel as HRNet does: a map that is nowhere positive answers (0, 0)."""
    points, scores = peaks(heatmaps)
    return points * (scores > 0)[..., None], scores


def decode_hrnet(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Decode as HRNet does: the peak, a quarter pixel towards the higher neighbour on each axis.

    Peaks in the outer two columns and rows on the top and left, and the outer one on the bottom and right, stay where
    they are. Points are counted from 0.
    """
    points, scores = positive_peaks(heatmaps)
    inside = _within(points, heatmaps, first=2)
    return points + 0.25 * _slopes(heatmaps, points).sign() * inside, scores


def decode_bearpaw(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Decode as bearpaw's Stacked Hourglass does: the quarter shift, then half a pixel to the pixel's corner.

    Points are counted from 1, so that (1.5, 1.5) is what the top-left pixel gives; a map that is nowhere positive
    answers (0.5, 0.5). Anibali's package subtracts 1.
    """
    points, scores = peaks(heatmaps)
    inside = _within(points, heatmaps, first=1) & (scores > 0)[..., None]
    shifted = points + 0.25 * _slopes(heatmaps, points).sign() * inside
    return (shifted + 1) * (scores > 0)[..., None] + 0.5, scores


def decode_princeton(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Decode as Princeton's Stacked Hourglass does: best of the local maxima, then a quarter and half a pixel.

    The quarter goes up where the next neighbour is higher than the previous one, else down, ties included. Points are
    counted from 0; where the best value is not positive the point stays in whole pixels.
    """
    is_peak = F.max_pool2d(heatmaps, kernel_size=3, stride=1, padding=1) == heatmaps
    points, scores = peaks(heatmaps * is_peak)
    quarter = torch.where(_slopes(heatmaps, points) > 0, 0.25, -0.25)
    return torch.where((scores > 0)[..., None], points + quarter + 0.5, points), scores


def decode_dark(heatmaps: Tensor, sigma: float = 2.0) -> tuple[Tensor, Tensor]:
    """Decode to a fraction of a pixel with the shape of the peak (DARK; Zhang et al. 2020, section 3.2).

    The map is smoothed with the Gaussian it was trained on, so that it has one peak; the logarithm of a Gaussian is a
    parabola, and one Newton step from the highest pixel reaches its top. The step is taken only where the
    neighbourhood curves down in every direction, and stays within it. Points are counted from 0, as HRNet's.

    Args:
        heatmaps: (B, K, H, W).
        sigma: standard deviation of the training target, in heatmap pixels.
    """
    points, scores = positive_peaks(heatmaps)
    logarithm = _smooth_around(heatmaps.to(points.dtype), points, sigma).clamp(min=1e-10).log()
    above, level, below = (row.unbind(dim=2) for row in logarithm.unbind(dim=2))  # each: left, middle, right
    gradient_x, gradient_y = (level[2] - level[0]) / 2, (below[1] - above[1]) / 2
    curvature_x = level[2] - 2 * level[1] + level[0]
    curvature_y = below[1] - 2 * level[1] + above[1]
    twist = (below[2] - above[2] - below[0] + above[0]) / 4
    determinant = curvature_x * curvature_y - twist.square()
    is_top = (determinant > 0) & (curvature_x < 0) & _within(points, heatmaps, first=1)[..., 0] & (scores > 0)
    step_x = twist * gradient_y - curvature_y * gradient_x
    step_y = twist * gradient_x - curvature_x * gradient_y
    step = torch.stack((step_x, step_y), dim=2) / determinant.where(is_top, 1)[..., None]
    return points + step.clamp(-1, 1) * is_top[..., None], scores


def unmirror(heatmaps: Tensor, flip_permutation: Sequence[int], shift: bool = False) -> Tensor:
    """Turn the heatmaps of a mirrored image into those of the image itself.

    Args:
        heatmaps: (B, K, H, W) of the mirrored image.
        flip_permutation: `Skeleton.flip_permutation`.
        shift: move them right by one pixel, the first column staying, as HRNet does: at stride 4 mirroring is about a
            pixel off.
    """
    back = heatmaps.flip(3)[:, list(flip_permutation)]
    return torch.cat((back[..., :1], back[..., :-1]), dim=3) if shift else back


def merge_mirrored(plain: Tensor, mirrored: Tensor, flip_permutation: Sequence[int], shift: bool = True) -> Tensor:
    """Average the heatmaps of an image with those of its mirrored copy (see `unmirror`)."""
    return (plain + unmirror(mirrored, flip_permutation, shift)) * 0.5


def _within(points: Tensor, heatmaps: Tensor, first: int) -> Tensor:
    height, width = heatmaps.shape[2:]
    last = points.new_tensor([width - 2, height - 2])
    return ((points >= first) & (points <= last)).all(dim=2, keepdim=True)


def _slopes(heatmaps: Tensor, points: Tensor) -> Tensor:
    """The next neighbour minus the previous one, along x and along y, at whole-pixel points: (B, K, 2)."""
    level = [_neighbours(heatmaps, points, dx) for dx in (-1, 0, 1)]
    return torch.stack((level[2][1] - level[0][1], level[1][2] - level[1][0]), dim=2)


def _neighbours(heatmaps: Tensor, points: Tensor, dx: int) -> tuple[Tensor, Tensor, Tensor]:
    """The values (B, K) above, beside and below each point in the column `dx` away; the border repeats itself."""
    height, width = heatmaps.shape[2:]
    x, y = points.long().unbind(dim=2)
    rows = torch.stack((y - 1, y, y + 1), dim=2).clamp(0, height - 1)
    index = rows * width + (x + dx).clamp(0, width - 1)[..., None]
    above, level, below = heatmaps.flatten(2).gather(2, index).unbind(dim=2)
    return above, level, below


def _smooth_around(heatmaps: Tensor, points: Tensor, sigma: float) -> Tensor:
    """The maps, smoothed by a Gaussian, at each point and its eight neighbours: (B, K, 3, 3), by row and column.

    Nine pixels of a map are wanted, so the others are not smoothed.
    """
    height, width = heatmaps.shape[2:]
    x, y = points.unbind(dim=2)
    return _gaussians(y, height, sigma) @ heatmaps @ _gaussians(x, width, sigma).mT


def _gaussians(centres: Tensor, size: int, sigma: float) -> Tensor:
    """Gaussians, cut at three sigma, of the pixels before, at and after each centre (B, K): weights (B, K, 3, size)."""
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, device=centres.device, dtype=centres.dtype)
    whole = (-offsets.square() / (2 * sigma**2)).exp().sum()
    pixels = torch.arange(size, device=centres.device, dtype=centres.dtype)
    distances = pixels - (centres[..., None] + offsets[radius - 1 : radius + 2])[..., None]
    return (-distances.square() / (2 * sigma**2)).exp() * (distances.abs() <= radius) / whole
