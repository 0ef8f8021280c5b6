"""How each pose system cuts persons out of pictures, and turns heatmaps back into points of the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from models.crops import Image, Region, crop_matrix, cut_square, invert, transform, transform_cut, warp
from models.heatmaps import decode_bearpaw, decode_hrnet, decode_princeton
from models.pose_systems import HOURGLASS as HOURGLASS_SYSTEM
from models.pose_systems import HRNET as HRNET_SYSTEM
from models.pose_systems import FloatArray, Size


@dataclass(frozen=True)
class PoseRecipe:
    """How a system cuts persons out, and turns heatmaps into points; its weights were trained for exactly that.

    Attributes:
        cut: takes an image, a region and a size (height, width) to a crop of that size.
        locate: takes heatmaps (B, K, H, W), regions and the crops' size to points (B, K, 2) in image pixels, and scores
            (B, K).
        first_pixel: from where the system counts image pixels; `cut` and `locate` count like it.
        shift: whether the heatmaps of a mirrored crop are moved by one pixel.
    """

    cut: Callable[[Image, Region, Size], Image]
    locate: Callable[[Tensor, Region, Size], tuple[FloatArray, Tensor]]
    first_pixel: int
    shift: bool


def _warp(image: Image, region: Region, size: Size) -> Image:
    return warp(image, crop_matrix(region, size), size)


def _locate_hrnet(heatmaps: Tensor, regions: Region, size: Size) -> tuple[FloatArray, Tensor]:
    points, scores = decode_hrnet(heatmaps)
    return transform(points.numpy(), _back(regions, heatmaps.shape[2:])), scores


def _locate_bearpaw(heatmaps: Tensor, regions: Region, size: Size) -> tuple[FloatArray, Tensor]:
    points, scores = decode_bearpaw(heatmaps)
    return transform_cut(points.numpy(), _back(regions, heatmaps.shape[2:]), first_pixel=1), scores


def _locate_princeton(heatmaps: Tensor, regions: Region, size: Size) -> tuple[FloatArray, Tensor]:
    points, scores = decode_princeton(heatmaps.clamp(max=1))
    stride = size[1] / heatmaps.shape[3]
    return transform_cut(points.numpy() * stride, _back(regions, size)), scores


def _back(regions: Region, size: Sequence[int]) -> FloatArray:
    return invert(crop_matrix(regions, (size[0], size[1])))


HRNET = PoseRecipe(_warp, _locate_hrnet, first_pixel=0, shift=HRNET_SYSTEM.shift)
# Bearpaw's own crop begins about a pixel elsewhere and shrinks large persons in two steps; this one stands in for it.
BEARPAW = PoseRecipe(cut_square, _locate_bearpaw, first_pixel=1, shift=HOURGLASS_SYSTEM.shift)
PRINCETON = PoseRecipe(cut_square, _locate_princeton, first_pixel=1, shift=HOURGLASS_SYSTEM.shift)

RECIPES = {
    "hrnet_w32_pose": HRNET,
    "hrnet_w48_pose": HRNET,
    "hourglass_bearpaw": BEARPAW,
    "hourglass_princeton": PRINCETON,
}
"""By the names of `models.names()`."""
