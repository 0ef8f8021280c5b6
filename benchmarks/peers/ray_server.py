"""The network behind Ray Serve, with dynamic request batching."""

import threading

import ray
import torch
from fastapi import FastAPI, UploadFile
from ray import serve
from torch import Tensor

from benchmarks.peers.plain import Plain, job_of_environment

JOB = job_of_environment()
app = FastAPI()


class Network:
    """Decodes, and runs batches."""

    def __init__(self) -> None:
        self.plain = Plain(JOB)

    @serve.batch(max_batch_size=JOB.max_batch, batch_wait_timeout_s=0.01)
    async def run(self, prepared: list[Tensor]) -> list[Tensor]:
        """Rows for prepared pictures."""
        return list(self.plain.forward(torch.stack(prepared)))

    @app.post("/embed")
    async def embed(self, image: UploadFile) -> dict[str, list[float]]:
        """One picture."""
        prepared = self.plain.prepare(self.plain.decode(await image.read()))
        return {"embedding": self.plain.finish(await self.run(prepared))}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": JOB.port})
    # Its default lets five requests in, fewer than a batch.
    deployed = serve.deployment(max_ongoing_requests=128, ray_actor_options={"num_cpus": 1})
    serve.run(deployed(serve.ingress(app)(Network)).bind())
    threading.Event().wait()
