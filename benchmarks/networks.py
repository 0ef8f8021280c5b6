"""Every published network: its size and cost beside its authors' figures, and its forward pass as it is served.

"Served" is the network as `models.checkpoint.load_network` hands it to the service: channels last, and RGA with its
relation maps factorised. "Plain" is a straightforward build: channels first, RGA with S x S relation maps. Both are
eager PyTorch in single precision under inference mode, with the same weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import models
from benchmarks.timing import compare

BATCHES = (1, 8)


@dataclass(frozen=True)
class Published:
    """A network with what its authors' code has been counted at.

    Attributes:
        label: for the table.
        name: of `models.names()`.
        size: (height, width) of its input.
        parameters: with the classifiers it is trained with.
        giga_macs: multiply-accumulates of convolutions and matrix products for one input, in 10**9.
        arguments: of the network that is served.
        counted: further arguments of the one that was counted.
        plain: further arguments of the plain build.
        channels: of its input.
    """

    label: str
    name: str
    size: tuple[int, int]
    parameters: int
    giga_macs: float
    arguments: dict[str, object] = field(default_factory=dict)
    counted: dict[str, object] = field(default_factory=dict)
    plain: dict[str, object] = field(default_factory=dict)
    channels: int = 3


def _rga(attention: str, parameters: int, giga_macs: float) -> Published:
    explicit: dict[str, object] = {"factorised": False}
    label, name = f"RGA-{attention.upper()}", f"rga_{attention}_resnet50"
    return Published(label, name, (256, 128), parameters, giga_macs, {}, {"num_classes": 767, **explicit}, explicit)


def _pose(width: int, keypoints: int, size: tuple[int, int], parameters: int, giga_macs: float) -> Published:
    name = f"hrnet_w{width}_pose"
    return Published(f"HRNet-W{width} pose", name, size, parameters, giga_macs, {"num_keypoints": keypoints})


def _classifier(variant: str, parameters: int, giga_macs: float) -> Published:
    return Published(f"HRNet-{variant} cls", f"hrnet_{variant.lower()}_cls", (224, 224), parameters, giga_macs)


def _hourglass(layout: str, stacks: int, parameters: int, giga_macs: float) -> Published:
    label, name = f"hourglass {layout} {stacks}", f"hourglass_{layout}"
    return Published(label, name, (256, 256), parameters, giga_macs, {"num_stacks": stacks})


def _glcnn(size: tuple[int, int], parameters: int, giga_macs: float) -> Published:
    return Published("GL-CNN", "glcnn", size, parameters, giga_macs, {"input_size": size}, channels=1)


PUBLISHED = (
    _rga("sc", 31_397_040, 9.826),
    _rga("s", 28_306_744, 6.764),
    _rga("c", 28_173_240, 7.117),
    Published("RRID", "rrid_resnet50", (384, 128), 49_922_627, 6.106, counted={"num_classes": 751}),
    _pose(32, 17, (256, 192), 28_536_113, 7.645),
    _pose(32, 16, (256, 256), 28_536_080, 10.193),
    _pose(48, 17, (384, 288), 63_595_745, 35.307),
    _pose(48, 16, (256, 256), 63_595_696, 20.922),
    _classifier("W18_small_v1", 13_187_464, 1.602),
    _classifier("W18_small_v2", 15_597_464, 2.596),
    _classifier("W18", 21_299_004, 4.284),
    _classifier("W30", 37_712_220, 8.106),
    _classifier("W32", 41_232_680, 8.921),
    _classifier("W40", 57_557_160, 12.692),
    _classifier("W44", 67_064_984, 14.883),
    _classifier("W48", 77_469_864, 17.278),
    _classifier("W64", 128_059_944, 28.895),
    _hourglass("princeton", 2, 8_429_088, 8.335),
    _hourglass("princeton", 8, 32_819_328, 27.440),
    _hourglass("bearpaw", 1, 3_586_960, 5.805),
    _hourglass("bearpaw", 2, 6_730_912, 8.989),
    _hourglass("bearpaw", 8, 25_594_624, 28.095),
    _glcnn((64, 44), 6_983_142, 0.208),
    _glcnn((128, 88), 24_808_934, 0.832),
)


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"fp32, eager, {torch.get_num_threads()} threads; milliseconds a batch, median of 3 turns"
    timed = "".join(f"{f'served x{batch}':>11} {f'plain x{batch}':>10} {'ratio':>6}" for batch in BATCHES)
    yield f"{'network':24} {'input':>8} {'parameters':>12} {'GMACs':>7} {'as published':>12}{timed}"
    for network in PUBLISHED:
        yield report(network)


def report(published: Published, rounds: int = 3) -> str:
    """One line of the table; a ratio above 1 says how many times faster the served network is."""
    parameters, giga_macs = count(published)
    same = parameters == published.parameters and abs(giga_macs - published.giga_macs) < 1e-3
    size = f"{published.size[0]}x{published.size[1]}"
    line = f"{published.label:24} {size:>8} {parameters:12,} {giga_macs:7.3f} {'yes' if same else 'NO':>12}"
    served, plain = _builds(published)
    for batch in BATCHES:
        images = torch.rand(batch, published.channels, *published.size)
        ours = images.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            measured = compare(lambda: plain(images), lambda: served(ours), rounds)  # noqa: B023
        line += f"{1000 * measured.b:11.1f} {1000 * measured.a:10.1f} {measured.ratio:6.2f}"
    return line


def count(published: Published) -> tuple[int, float]:
    """Parameters and GMACs of the network that was counted; nothing is computed."""
    with torch.device("meta"):
        network = models.create(published.name, **published.arguments, **published.counted).eval()
        images = torch.empty(1, published.channels, *published.size)
    # Re-identification networks show their classifiers in `logits` only.
    method = "logits" if "num_classes" in published.counted else "forward"
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        getattr(network, method)(images)
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2e9


def _builds(published: Published) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    served = models.create(published.name, **published.arguments).eval()
    plain = models.create(published.name, **published.arguments, **published.plain).eval()
    plain.load_state_dict(served.state_dict())
    return served.to(memory_format=torch.channels_last), plain  # type: ignore[call-overload]
