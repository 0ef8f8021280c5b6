"""Which runtime computes a network, and getting it to do so."""

import hashlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from models.checkpoint import Checkpoint, bundled_weights_dir
from models.runtimes import exporting
from models.runtimes.agreement import agreement
from models.runtimes.cache import FileCache
from models.runtimes.compiled import CompiledNetwork, RuntimeUnusableError
from models.runtimes.cores import usable_cores
from models.runtimes.exporting import Shape, export_onnx
from models.runtimes.int8_files import read_int8
from models.runtimes.onnxruntime import open_onnxruntime
from models.runtimes.openvino import open_openvino
from models.runtimes.torch import open_torch

log = logging.getLogger("gaitkeeper")

RuntimeName = Literal["torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]

DIGITS = 16
"""Of the digest in the name of a cached file."""

# The fastest first, in fp32 on a CPU, as `python -m benchmarks runtimes` measures; one that is not installed is passed.
FASTEST: tuple[RuntimeName, ...] = ("openvino", "onnxruntime")


@dataclass(frozen=True)
class RuntimeOptions:
    """How networks are to be computed.

    Attributes:
        device: where; a GPU is used through torch only.
        runtime: "auto" takes the fastest that computes in this precision and agrees with torch.
        precision: of convolutions and products; inputs and outputs are float32.
        threads: of one forward pass on a CPU; 0 takes every core.
        int8_dir: folder of the files that int8 is computed from.
    """

    device: torch.device
    runtime: Literal["auto"] | RuntimeName = "auto"
    precision: Precision = "fp32"
    threads: int = 0
    int8_dir: Path = field(default_factory=bundled_weights_dir)


def accelerate(network: nn.Module, checkpoint: Checkpoint, options: RuntimeOptions, files: FileCache) -> nn.Module:
    """Hand a checkpoint's network to a runtime.

    Each start compares a runtime's answer with torch's. If "auto" meets a runtime that is unusable, it says so in the
    log and goes on to the next; torch is the last. Only OpenVINO computes int8.

    Args:
        network: as `load_network` gives it.
        checkpoint: what it was loaded from.
        options: how it is to be computed.
        files: keeps what is slow to make.

    Returns:
        A module that is called like `network`, from any one thread at a time.

    Raises:
        ValueError: the runtime that was asked for cannot do it here.
    """
    candidates = _candidates(options)
    for name in candidates:
        try:
            opened = _open(name, network, checkpoint, options, files)
        except RuntimeUnusableError as error:
            if len(candidates) == 1:
                wanted = "precision is 'int8'" if options.precision == "int8" else f"runtime is {name!r}"
                raise ValueError(f"the setting {wanted}: {error}") from error
            log.warning("%s: not computed by %s: %s", checkpoint.name, name, error)
            continue
        log.info("%s: computed by %s on %s in %s", checkpoint.name, name, options.device, options.precision)
        return opened
    raise AssertionError("torch takes every network")


def runtime_of(network: nn.Module) -> str:
    """The name of the runtime that `accelerate` gave a network to."""
    return network.runtime if isinstance(network, CompiledNetwork) else "torch"


def input_shape(checkpoint: Checkpoint) -> Shape:
    """(C, H, W) of what a checkpoint's network sees: a GEI has one channel, a picture three."""
    return (1 if checkpoint.task == "gait" else 3, *checkpoint.preprocessing.size)


def _candidates(options: RuntimeOptions) -> tuple[RuntimeName, ...]:
    """The runtimes to try, in this order.

    Raises:
        ValueError: the one that was asked for never fits the other options.
    """
    wanted = options.runtime
    if options.precision == "int8":
        if options.device.type != "cpu" or wanted not in ("auto", "openvino"):
            raise ValueError(
                "the setting precision is 'int8', which OpenVINO alone computes, on the CPU; choose the runtime 'auto'"
                " or 'openvino' and the device 'cpu', or the precision 'fp32'"
            )
        return ("openvino",)
    if options.device.type != "cpu" and wanted in ("onnxruntime", "openvino"):
        raise ValueError(f"the setting runtime is {wanted!r}, which runs on the CPU only; choose 'auto' or 'torch'")
    if wanted == "onnxruntime" and options.precision != "fp32":
        raise ValueError("the setting runtime is 'onnxruntime', which computes in fp32 only; choose 'auto'")
    if wanted != "auto":
        return (wanted,)
    if options.device.type != "cpu":
        return ("torch",)
    fastest = FASTEST if options.precision == "fp32" else ("openvino",)
    return (*(name for name in fastest if find_spec(name)), "torch")


def _open(
    name: RuntimeName, network: nn.Module, checkpoint: Checkpoint, options: RuntimeOptions, files: FileCache
) -> nn.Module:
    if name == "torch":
        assert options.precision != "int8"
        return open_torch(network, options.device, options.precision)
    shape, threads = input_shape(checkpoint), options.threads or usable_cores()
    key = f"{checkpoint.name}-{_digest(checkpoint)}"
    # What earlier weights or releases left behind: tens of megabytes each.
    files.forget(re.compile(rf"{re.escape(checkpoint.name)}-[0-9a-f]{{{DIGITS}}}[.-].*"), but=key)
    onnx: Callable[[], bytes] = partial(files.fetch, f"{key}.onnx", partial(export_onnx, network, shape))
    if options.precision == "int8":
        int8 = read_int8(checkpoint, options.int8_dir)
        key, onnx = f"{key}-{hashlib.sha256(int8).hexdigest()[:DIGITS]}", lambda: int8
    if name == "onnxruntime":
        run = open_onnxruntime(onnx(), threads)
    else:
        run = open_openvino(onnx, shape, threads, options.precision, files, key)
    compiled = CompiledNetwork(network, run, name)
    compared = agreement(network, compiled, torch.randn(2, *shape, generator=torch.Generator().manual_seed(1)))
    if not (compared.is_exact if options.precision == "fp32" else compared.is_finite):
        raise RuntimeUnusableError(f"its answer is not torch's: cosine {compared.cosine:.6f}")
    return compiled


def _digest(checkpoint: Checkpoint) -> str:
    """What an exported network depends on: weights, arguments, torch, and the code that builds and exports it."""
    models = Path(__file__).parents[1]
    sources = [path.read_bytes() for path in sorted(models.glob("backbones/*.py"))]
    facts = [checkpoint.sha256, checkpoint.network, checkpoint.arguments, input_shape(checkpoint), torch.__version__]
    code = hashlib.sha256(b"".join([*sources, Path(exporting.__file__).read_bytes()])).hexdigest()
    return hashlib.sha256(json.dumps([*facts, code], sort_keys=True).encode()).hexdigest()[:DIGITS]
