"""How much a crop can be trusted, without a network: is it sharp, and as large as the network looks at it?"""

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 128, 64
# Of a Laplacian's variance; crops of half this sharpness are recognised markedly less often (docs/accuracy.md).
HALF_SHARP = 400.0


def crop_quality(crop: NDArray[np.uint8], size: tuple[int, int]) -> float:
    """0..1 for an RGB crop (H, W, 3) that a network sees at `size`; only good for comparing crops with each other."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    same_scale = cv2.resize(grey, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    sharpness = float(cv2.Laplacian(same_scale, cv2.CV_32F).var())
    resolution: float = min(1.0, crop.shape[0] / size[0], crop.shape[1] / size[1])
    return resolution * sharpness / (sharpness + HALF_SHARP)
