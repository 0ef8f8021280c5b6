"""From points to the heatmaps that a network is trained to answer with."""

import torch
from torch import Tensor


def hrnet_targets(
    points: Tensor, visible: Tensor, size: tuple[int, int], stride: float = 4.0, sigma: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Draw HRNet's targets: a Gaussian of height 1, cut at three sigma, around the nearest heatmap pixel.

    Args:
        points: (..., K, 2) x, y in crop pixels.
        visible: (..., K) bool or 0/1; what is not visible gets an empty map.
        size: (height, width) of the heatmaps.
        stride: crop pixels a heatmap pixel.
        sigma: in heatmap pixels; 2 at 256x192 and 256x256, 3 at 384x288.

    Returns:
        heatmaps: (..., K, *size) float32.
        weights: (..., K) float32; 0 where the point is not visible or its Gaussian lies outside the map.
    """
    center = torch.trunc(points / stride + 0.5)
    reach = 3 * sigma
    limit = center.new_tensor([size[1], size[0]])
    # The reference counts a patch that ends just before the first pixel as inside.
    inside = ((center - reach < limit) & (center + reach + 1 >= 0)).all(dim=-1)
    drawn = inside & visible.bool()
    heatmaps = _gaussians(center, center - reach, center + reach, size, sigma) * drawn[..., None, None]
    return heatmaps, (inside * visible).float()


def bearpaw_targets(points: Tensor, size: tuple[int, int], sigma: float = 1.0) -> tuple[Tensor, Tensor]:
    """Draw the targets of bearpaw's and anibali's Stacked Hourglass.

    Both corners of the patch are cut towards zero, so a patch that begins left of or above the map loses its last
    column or row.

    Args:
        points: (..., K, 2) x, y in heatmap pixels, counted from 0.
        size: (height, width) of the heatmaps.
        sigma: in heatmap pixels.

    Returns:
        heatmaps: (..., K, *size) float32.
        inside: (..., K) bool; False where the patch lies outside the map, which is then empty.
    """
    first, end = torch.trunc(points - 3 * sigma), torch.trunc(points + 3 * sigma + 1)
    limit = points.new_tensor([size[1], size[0]])
    inside = ((first < limit) & (end >= 0)).all(dim=-1)
    heatmaps = _gaussians(first + int(6 * sigma + 1) // 2, first, end - 1, size, sigma)
    return heatmaps * inside[..., None, None], inside


def princeton_targets(points: Tensor, size: tuple[int, int], sigma: float = 1.0) -> Tensor:
    """Draw the targets of Princeton's Stacked Hourglass: a Gaussian over 3 sigma + 1 pixels around the cut-off point.

    Args:
        points: (..., K, 2) x, y in heatmap pixels, counted from 0; x <= 0 means that there is no keypoint.
        size: (height, width) of the heatmaps.
        sigma: in heatmap pixels; the reference uses a 64th of the side.

    Returns:
        (..., K, *size) float32; empty where the point lies outside the map.
    """
    center = torch.trunc(points)
    limit = points.new_tensor([size[1], size[0]])
    inside = (points[..., 0] > 0) & ((center >= 0) & (center < limit)).all(dim=-1)
    reach = 3 * sigma + 1
    return _gaussians(center, center - reach, center + reach, size, sigma) * inside[..., None, None]


def exact_targets(points: Tensor, size: tuple[int, int], sigma: float) -> tuple[Tensor, Tensor]:
    """Draw a whole Gaussian of height 1 at each point, which need not lie on a pixel (Zhang et al. 2020, section 3.3).

    Args:
        points: (..., K, 2) x, y in heatmap pixels; the centre of the top-left pixel is (0, 0).
        size: (height, width) of the heatmaps.
        sigma: in heatmap pixels.

    Returns:
        heatmaps: (..., K, *size) float32.
        inside: (..., K) bool; False where the point lies outside the map, which is then empty.
    """
    limit = points.new_tensor([size[1], size[0]]) - 0.5
    inside = ((points >= -0.5) & (points < limit)).all(dim=-1)
    everywhere = torch.full_like(points, torch.inf)
    return _gaussians(points, -everywhere, everywhere, size, sigma) * inside[..., None, None], inside


def _gaussians(center: Tensor, first: Tensor, last: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Gaussians (..., *size) float32 that are zero outside the pixels from `first` to `last`; all are (..., 2)."""

    def profile(axis: int, length: int) -> Tensor:
        pixels = torch.arange(length, device=center.device, dtype=center.dtype)
        low, high, middle = first[..., axis, None], last[..., axis, None], center[..., axis, None]
        height = torch.exp(-(pixels - middle).square() / (2 * sigma**2))
        return height * ((pixels >= low) & (pixels <= high))

    across, down = profile(0, size[1]), profile(1, size[0])
    return (down[..., :, None] * across[..., None, :]).float()
