"""The network behind BentoML: one service decodes, the other batches adaptively."""

import bentoml
import numpy as np
import torch
from PIL.Image import Image

from benchmarks.peers.plain import Plain, job_of_environment

JOB = job_of_environment()
# It would write a line for every request.
QUIET = {"access": {"enabled": False}}


@bentoml.service(workers=1, logging=QUIET)
class Network:
    """Runs batches."""

    def __init__(self) -> None:
        self.plain = Plain(JOB)

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=JOB.max_batch)
    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Rows for prepared pictures (B, 3, h, w)."""
        return self.plain.forward(torch.from_numpy(np.array(pictures))).numpy()


@bentoml.service(workers=1, logging=QUIET)
class Front:
    """Decodes pictures."""

    network = bentoml.depends(Network)

    def __init__(self) -> None:
        self.plain = Plain(JOB)

    @bentoml.api(route="/embed")
    async def embed(self, image: Image) -> list[float]:
        """One picture."""
        prepared = self.plain.prepare(np.array(image.convert("RGB")))
        rows = await self.network.to_async.embed(prepared.numpy()[None])
        return self.plain.finish(torch.from_numpy(np.array(rows[0])))
