"""Person crops to embeddings."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.transforms import Normalisation, resize, to_tensor


class PersonEmbedder:
    """Embeds crops of persons with one re-identification network.

    Args:
        network: maps normalised crops (B, 3, *size) to features (B, D); it is put into evaluation mode.
        size: (height, width) that the network was trained at.
        normalisation: the one it was trained with.
        flip: add the mirrored crop's feature before the length is set to one (doubles the cost, steadies the answer).
    """

    def __init__(
        self,
        network: nn.Module,
        size: tuple[int, int],
        normalisation: Normalisation | None = None,
        flip: bool = False,
    ) -> None:
        self.network = network.eval()
        self.size, self.flip = size, flip
        self.normalisation = normalisation or Normalisation()

    def prepare(self, crop: NDArray[np.uint8]) -> Tensor:
        """Resize and normalise an RGB crop (H, W, 3): (3, *size) float32."""
        return self.normalisation(resize(to_tensor(crop), self.size))

    def forward(self, batch: Tensor) -> Tensor:
        """Embed prepared crops (B, 3, *size) as rows (B, D) of unit length."""
        batch = batch.to(memory_format=torch.channels_last)
        features: Tensor = self.network(batch)
        if self.flip:
            features = features + self.network(batch.flip(3))
        return F.normalize(features.float())

    def finish(self, row: Tensor) -> NDArray[np.float32]:
        """One row as an embedding (D,) float32 of unit length."""
        return np.asarray(row.numpy(), np.float32)
