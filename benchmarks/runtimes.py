"""Eager torch in fp32 against ONNX Runtime and OpenVINO, and OpenVINO in bf16 and int8; and what each costs to start.

The ratios in fp32 decide the order in `models.runtimes.selection.FASTEST`. Torch has the network as `load_network`
gives it, channels last, and RGA with its relation maps factorised. The ranges for int8 come from noise, which changes
answers but no times.
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
from models.runtimes.quantising import quantise

T = TypeVar("T")

BATCHES = (1, 8)
CALIBRATION = 16


@dataclass(frozen=True)
class Measured:
    """A network to measure.

    Attributes:
        shape: (C, H, W) of its input.
        name: of `models.names()`, or of a bundled checkpoint.
    """

    label: str
    shape: Shape
    name: str
    arguments: dict[str, object] = field(default_factory=dict)


NETWORKS = (
    Measured("ResNet-18 compact", (3, 128, 64), "resnet18-market1501-compact"),
    Measured("RGA compact", (3, 128, 64), "rga-market1501-compact"),
    Measured("hourglass compact", (3, 128, 128), "hourglass-lspet-compact"),
    Measured("RGA-SC ResNet-50", (3, 256, 128), "rga_sc_resnet50"),
    Measured("HRNet-W32 pose", (3, 256, 192), "hrnet_w32_pose"),
    Measured("hourglass-2", (3, 256, 256), "hourglass_princeton", {"num_stacks": 2}),
    Measured("RRID", (3, 384, 128), "rrid_resnet50"),
    Measured("GL-CNN", (1, 64, 44), "glcnn"),
)


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{torch.get_num_threads()} threads; medians of 5 turns; ratios are to eager torch in fp32"
    columns = f"{'network':18} {'batch':>5} {'torch ms':>9} {'onnxruntime':>12} {'openvino':>9} {'bf16':>6} {'int8':>6}"
    yield f"{columns}   seconds to export, open, compile, quantise"
    for network in NETWORKS:
        yield from report(network)


def report(measured: Measured, rounds: int = 5) -> Iterator[str]:
    """The lines of one network; a ratio above 1 says how many times faster than torch."""
    network, threads, shape = _build(measured), torch.get_num_threads(), measured.shape
    noise = torch.rand(CALIBRATION, *shape).numpy()
    exporting, onnx = _timed(partial(export_onnx, network, shape))
    opening, session = _timed(partial(open_onnxruntime, onnx, threads))
    compiling, graph = _timed(partial(open_openvino, lambda: onnx, shape, threads, "fp32", FileCache(None), ""))
    quantising, rounded = _timed(partial(quantise, onnx, noise, ""))
    bf16 = open_openvino(lambda: onnx, shape, threads, "bf16", FileCache(None), "")
    int8 = open_openvino(lambda: rounded, shape, threads, "int8", FileCache(None), "")
    ways = [network, *(CompiledNetwork(network, run) for run in (session, graph, bf16, int8))]
    started = f"{exporting:.1f}, {opening:.1f}, {compiling:.1f}, {quantising:.1f}"
    for batch in BATCHES:
        base, ort, openvino, *low = _ratios(ways, torch.rand(batch, *shape), rounds)
        ratios = f"{ort:12.2f} {openvino:9.2f} {low[0]:6.2f} {low[1]:6.2f}"
        line = f"{measured.label:18} {batch:5} {1000 * base:9.1f} {ratios}"
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
    bundled = read_manifest(bundled_weights_dir())
    if measured.name in bundled:
        return load_network(bundled[measured.name], bundled_weights_dir())
    torch.manual_seed(0)
    network = models.create(measured.name, **measured.arguments).eval()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result
