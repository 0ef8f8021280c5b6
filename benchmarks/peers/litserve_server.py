"""The network behind LitServe, with its batching switched on."""

from typing import cast

import litserve
import torch
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from torch import Tensor

from benchmarks.peers.plain import Plain, job_of_environment

JOB = job_of_environment()


class Api(litserve.LitAPI):  # type: ignore[misc]
    """One picture a request, in the form field "image"."""

    def setup(self, device: str) -> None:
        """Load the network in the worker."""
        self.plain = Plain(JOB)

    def decode_request(self, request: Request) -> Tensor:
        """One picture; LitServe gives the form where `Request` is asked for."""
        form = cast(FormData, request)
        upload = cast(UploadFile, form["image"])
        return self.plain.prepare(self.plain.decode(upload.file.read()))

    def batch(self, inputs: list[Tensor]) -> Tensor:
        """Pictures that run together."""
        return torch.stack(inputs)

    def predict(self, batch: Tensor) -> Tensor:
        """The network."""
        return self.plain.forward(batch)

    def unbatch(self, output: Tensor) -> list[Tensor]:
        """A row a picture."""
        return list(output)

    def encode_response(self, row: Tensor) -> dict[str, list[float]]:
        """The answer."""
        return {"embedding": self.plain.finish(row)}


if __name__ == "__main__":
    api = Api(max_batch_size=JOB.max_batch, batch_timeout=0.01, api_path="/embed")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=JOB.port, log_level="warning", generate_client_file=False)
