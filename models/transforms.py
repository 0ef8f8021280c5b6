"""From pictures to network input: resizing and normalisation, exactly as the networks were trained."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """View an image (H, W, 3) as a uint8 tensor (3, H, W); the memory is shared where it can be."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize uint8 images (..., 3, H, W) to (..., 3, *size), bilinear and antialiased as Pillow does it.

    OpenCV's bilinear resize does not antialias and is 8 % away from what the networks were trained on.
    """
    if images.shape[-2:] == torch.Size(size):
        return images
    batch = images.reshape(-1, *images.shape[-3:])
    resized = F.interpolate(batch, size=size, mode="bilinear", antialias=True, align_corners=False)
    return resized.reshape(*images.shape[:-2], *size)


@dataclass(frozen=True)
class Normalisation:
    """Per-channel normalisation of RGB values that were first scaled to 0..1."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __call__(self, images: Tensor) -> Tensor:
        """Map uint8 images (..., 3, H, W) to float32 of the same shape."""
        scale = torch.tensor([1 / (255 * s) for s in self.std]).view(3, 1, 1)
        shift = torch.tensor([-m / s for m, s in zip(self.mean, self.std, strict=True)]).view(3, 1, 1)
        return torch.addcmul(shift, images.float(), scale)
