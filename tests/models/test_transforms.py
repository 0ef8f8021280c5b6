import numpy as np
import pytest
import torch
from PIL import Image

from models.transforms import IMAGENET_MEAN, IMAGENET_STD, Normalisation, resize, to_tensor
from tests.app.pictures import pattern


@pytest.mark.parametrize("size", [(128, 64), (37, 91), (16, 8)])
def test_resizing_agrees_with_pillow(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 60, 3), np.uint8)
    expected = np.asarray(Image.fromarray(noise).resize((size[1], size[0]), Image.Resampling.BILINEAR))

    resized = resize(to_tensor(noise), size).permute(1, 2, 0).numpy()

    assert np.abs(resized.astype(int) - expected).max() <= 1


def test_normalising_is_what_torchvision_does() -> None:
    image = to_tensor(pattern())
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))

    assert torch.allclose(Normalisation()(image), (image / 255 - mean) / std, atol=1e-6)
