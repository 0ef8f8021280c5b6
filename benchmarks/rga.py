"""RGA-SC forward pass: relation maps factorised against the S x S form, one runtime (eager PyTorch, fp32)."""

from collections.abc import Iterator

import torch

import models
from benchmarks.timing import compare


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    networks = {}
    for factorised in (False, True):
        torch.manual_seed(0)
        networks[factorised] = models.create("rga_sc_resnet50", factorised=factorised).eval()
    yield f"RGA-SC ResNet-50, 256x128, fp32, eager, {torch.get_num_threads()} threads"
    yield f"{'batch':>5} {'S x S ms':>9} {'factorised ms':>14} {'ratio':>6}"
    for batch in (1, 8):
        images = torch.randn(batch, 3, 256, 128)
        with torch.inference_mode():
            measured = compare(lambda: networks[False](images), lambda: networks[True](images))  # noqa: B023
        yield f"{batch:5} {1000 * measured.a:9.1f} {1000 * measured.b:14.1f} {measured.ratio:6.2f}"
