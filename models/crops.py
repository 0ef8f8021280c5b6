"""Where a person's crop lies in an image, the way there, and the way back for points."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

SCALE_UNIT = 200.0
"""Image pixels a unit of the "scale" in MPII's annotations, and in all code that grew from them."""


@dataclass(frozen=True)
class Region:
    """Rectangles around persons; one, or as many as the leading axes say. The height follows from the crop's shape.

    Attributes:
        center: (..., 2) x, y in image pixels.
        width: (...) in image pixels.
        degrees: (...) how far the rectangle is turned, clockwise as seen in the image.
    """

    center: NDArray[np.floating]
    width: NDArray[np.floating]
    degrees: NDArray[np.floating] | float = 0.0


def box_region(boxes: NDArray[np.floating], size: tuple[int, int], margin: float = 1.25) -> Region:
    """Widen boxes to the shape of a crop and by a margin, keeping their centres, as HRNet does.

    Args:
        boxes: (..., 4) x1, y1, x2, y2 in image pixels.
        size: (height, width) of the crop, of which only the ratio matters.
        margin: factor on both sides.
    """
    corners = np.asarray(boxes, np.float64)
    first, end = corners[..., :2], corners[..., 2:]
    extent = end - first
    width = np.maximum(extent[..., 0], extent[..., 1] * size[1] / size[0])
    return Region((first + end) / 2, width * margin)


def mpii_region(center: NDArray[np.floating], scale: NDArray[np.floating], first_pixel: int = 0) -> Region:
    """Widen MPII's annotated person as HRNet and bearpaw do: down by 15 units of its scale, larger by a quarter.

    Args:
        center: (..., 2) x, y as annotated, counted from 1.
        scale: (...) person height in units of 200 pixels.
        first_pixel: 0 to count the centre from 0, as HRNet; 1 to leave it as annotated, as bearpaw.
    """
    scale = np.asarray(scale, np.float64)
    lowered = np.asarray(center, np.float64) + np.stack((np.zeros_like(scale), 15 * scale), axis=-1)
    return Region(lowered + first_pixel - 1, scale * 1.25 * SCALE_UNIT)


def crop_matrix(region: Region, size: tuple[int, int]) -> FloatArray:
    """Affine maps (..., 2, 3) from image pixels to those of a crop or heatmap of `size` (height, width).

    The region's width fills the crop's and its centre comes to (width / 2, height / 2). This is one rule for HRNet's
    three-point transform and for the matrix product of the Stacked Hourglass codes.

    Raises:
        ValueError: a region has no width.
    """
    if not np.all(np.asarray(region.width) > 0):
        raise ValueError(f"a region is {np.min(region.width)} pixels wide; its width must be positive")
    height, width = size
    factor = width / np.asarray(region.width, np.float64)
    angle = np.deg2rad(np.broadcast_to(region.degrees, factor.shape))
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    linear = np.stack((cosine, sine, -sine, cosine), axis=-1).reshape(*factor.shape, 2, 2)
    center = np.asarray(region.center, np.float64)[..., None]
    offset = np.array([[width / 2], [height / 2]]) - linear @ center
    return np.concatenate((linear, offset), axis=-1)


def invert(matrix: NDArray[np.floating]) -> FloatArray:
    """The inverse (..., 2, 3) of affine maps (..., 2, 3)."""
    linear = np.linalg.inv(np.asarray(matrix, np.float64)[..., :2])
    return np.concatenate((linear, -linear @ matrix[..., 2:]), axis=-1)


def transform(points: NDArray[np.floating], matrix: NDArray[np.floating]) -> FloatArray:
    """Apply affine maps (..., 2, 3) to points (..., P, 2)."""
    moved = points @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]
    return np.asarray(moved, np.float64)


def transform_cut(points: NDArray[np.floating], matrix: NDArray[np.floating], first_pixel: int = 0) -> FloatArray:
    """Apply affine maps as the Stacked Hourglass codes do: to whole pixels, cut towards zero.

    Args:
        points: (..., P, 2).
        matrix: (..., 2, 3), which counts pixels from 0.
        first_pixel: from where the points count pixels, before and after: 1 in bearpaw's code, 0 in Princeton's.
    """
    return np.trunc(transform(points - first_pixel, matrix)) + first_pixel


def warp(image: Image, matrix: FloatArray, size: tuple[int, int]) -> Image:
    """Cut a crop (*size, 3) out of an image (H, W, 3) along an affine map (2, 3): bilinear, black outside.

    OpenCV before version 5 rounds coordinates to a 32nd of a pixel, which is up to 3 grey levels off.
    """
    last = np.array([size[1] - 1, size[0] - 1])
    back = invert(matrix)
    corners = transform(last * [[0, 0], [0, 1], [1, 0], [1, 1]], back)
    first = np.floor(corners.min(axis=0)).astype(int).clip(0)
    end = (np.floor(corners.max(axis=0)).astype(int) + 2).clip(max=image.shape[1::-1])
    if (first >= end).any():
        return np.zeros((*size, image.shape[2]), np.uint8)
    window = image[first[1] : end[1], first[0] : end[0]].astype(np.float32)
    # torch counts from -1 at the left edge of the first pixel to 1 at the right edge of the last one.
    middle = (2 * (transform(last[None] / 2, back)[0] - first) + 1) / (end - first) - 1
    turn = back[:, :2] * (last + 1) / (end - first)[:, None]
    theta = torch.from_numpy(np.column_stack((turn, middle))).float()
    grid = F.affine_grid(theta[None], [1, 1, *size], align_corners=False)
    pixels = torch.from_numpy(window).permute(2, 0, 1)[None]
    crop = F.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)
    return np.ascontiguousarray(crop[0].round().to(torch.uint8).permute(1, 2, 0).numpy())


def warp_fast(image: Image, matrix: FloatArray, size: tuple[int, int]) -> Image:
    """`warp` by OpenCV, many times faster: coordinates are rounded to a 32nd of a pixel.

    Raises:
        ValueError: the image has 32767 pixels or more on a side.
    """
    if max(image.shape[:2]) >= 32767:
        raise ValueError(f"the image has {max(image.shape[:2])} pixels on a side; OpenCV takes at most 32766")
    return np.asarray(cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR), np.uint8)


def cut_square(image: Image, region: Region, size: tuple[int, int]) -> Image:
    """Cut a crop as Princeton's Stacked Hourglass does: whole pixels around the centre, black outside, then resized.

    Args:
        image: (H, W, 3).
        region: one upright region.
        size: (height, width) of the crop.

    Raises:
        ValueError: the region is narrower than a pixel.
    """
    height, width = size
    corners = transform_cut(np.array([[0, 0], [width, height]]), invert(crop_matrix(region, size))).astype(int)
    (left, top), (right, bottom) = corners
    if right <= left or bottom <= top:
        raise ValueError(f"a region {float(region.width)} pixels wide has nothing to cut out")
    x = np.clip((left, right), 0, image.shape[1])
    y = np.clip((top, bottom), 0, image.shape[0])
    cut = np.zeros((bottom - top, right - left, image.shape[2]), np.uint8)
    cut[y[0] - top : y[1] - top, x[0] - left : x[1] - left] = image[y[0] : y[1], x[0] : x[1]]
    return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True)
class Fit:
    """Where a whole image lies within the crop that contains it, in crop pixels."""

    top: int
    left: int
    height: int
    width: int


def fit_within(image_size: tuple[int, int], size: tuple[int, int]) -> Fit:
    """Place a whole image in the middle of a crop, as large as it fits, as anibali's predictor does.

    Both sizes are (height, width).
    """
    factor = min(size[0] / image_size[0], size[1] / image_size[1])
    height, width = round(factor * image_size[0]), round(factor * image_size[1])
    return Fit((size[0] - height) // 2, (size[1] - width) // 2, height, width)


def fit_image(image: Image, size: tuple[int, int]) -> Image:
    """Resize a whole image (H, W, 3) into a crop (*size, 3), bilinear, black around it."""
    fit = fit_within(image.shape[:2], size)
    crop = np.zeros((*size, image.shape[2]), np.uint8)
    resized = cv2.resize(image, (fit.width, fit.height), interpolation=cv2.INTER_LINEAR)
    crop[fit.top : fit.top + fit.height, fit.left : fit.left + fit.width] = resized
    return crop


def unfit_points(points: NDArray[np.floating], image_size: tuple[int, int], size: tuple[int, int]) -> FloatArray:
    """Move points (..., 2) from the pixels of a crop made by `fit_image` to those of the image."""
    fit = fit_within(image_size, size)
    scale = np.array([image_size[1] / fit.width, image_size[0] / fit.height])
    return np.asarray((points - np.array([fit.left, fit.top])) * scale, np.float64)
