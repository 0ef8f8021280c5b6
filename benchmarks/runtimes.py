"""Eager torch against ONNX Runtime and OpenVINO, all in fp32, side by side; and what each costs to start.

The ratios decide the order in `models.runtimes.selection.FASTEST`. Torch has the network as `load_network` gives it:
channels last, and RGA with its relation maps factorised.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

import models
from models.checkpoint import bundled_weights_dir, load_network, read_manifest
from models.runtimes.cache import FileCache
from models.runtimes.compiled import CompiledNetwork
from models.runtimes.exporting import Shape, export_onnx
from models.runtimes.onnxruntime import open_onnxruntime
from models.runtimes.openvino import open_openvino

T = TypeVar("T")

BATCHES = (1, 8)
BUNDLED = "rga-market1501-compact"


@dataclass(frozen=True)
class Measured:
    """A network to measure; without a name, the bundled checkpoint.

    Attributes:
        shape: (C, H, W) of its input.
    """

    label: str
    shape: Shape
    name: str = ""
    arguments: dict[str, object] = field(default_factory=dict)


NETWORKS = (
    Measured("RGA compact", (3, 128, 64)),
    Measured("RGA-SC ResNet-50", (3, 256, 128), "rga_sc_resnet50"),
    Measured("HRNet-W32 pose", (3, 256, 192), "hrnet_w32_pose"),
    Measured("hourglass-2", (3, 256, 256), "hourglass_princeton", {"num_stacks": 2}),
    Measured("RRID", (3, 384, 128), "rrid_resnet50"),
    Measured("GL-CNN", (1, 64, 44), "glcnn"),
)


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"fp32, {torch.get_num_threads()} threads; medians of 5 turns; ratios are to eager torch"
    columns = f"{'network':18} {'batch':>5} {'torch ms':>9} {'onnxruntime':>12} {'openvino':>9}"
    yield f"{columns}   seconds to export, open, compile"
    for network in NETWORKS:
        yield from report(network)


def report(measured: Measured, rounds: int = 5) -> Iterator[str]:
    """The lines of one network; a ratio above 1 says how many times faster than torch."""
    network, threads = _build(measured), torch.get_num_threads()
    exporting, onnx = _timed(partial(export_onnx, network, measured.shape))
    opening, session = _timed(partial(open_onnxruntime, onnx, threads))
    openvino = partial(open_openvino, lambda: onnx, measured.shape, threads, "fp32", FileCache(None), "")
    compiling, graphs = _timed(openvino)
    ways = [network, CompiledNetwork(network, session), CompiledNetwork(network, graphs)]
    started = f"{exporting:.1f}, {opening:.1f}, {compiling:.1f}"
    for batch in BATCHES:
        base, *ratios = _ratios(ways, torch.rand(batch, *measured.shape), rounds)
        line = f"{measured.label:18} {batch:5} {1000 * base:9.1f} {ratios[0]:12.2f} {ratios[1]:9.2f}"
        yield f"{line}   {started}" if batch == BATCHES[0] else line


@torch.inference_mode()
def _ratios(ways: list[nn.Module], images: Tensor, rounds: int) -> list[float]:
    """Seconds of the first way, then how many times faster the others are; in turns, as the machine's speed drifts."""
    images = images.contiguous(memory_format=torch.channels_last)
    for way in ways:
        way(images)
    turns = [[_timed(partial(way, images))[0] for way in ways] for _ in range(rounds)]
    others = range(1, len(ways))
    return [
        statistics.median(turn[0] for turn in turns),
        *(statistics.median(turn[0] / turn[other] for turn in turns) for other in others),
    ]


def _build(measured: Measured) -> nn.Module:
    if not measured.name:
        return load_network(read_manifest(bundled_weights_dir())[BUNDLED], bundled_weights_dir())
    torch.manual_seed(0)
    network = models.create(measured.name, **measured.arguments).eval()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result
