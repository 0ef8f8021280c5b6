"""OpenVINO on the CPU, in single precision, bfloat16 or int8. The only file that imports it."""

import hashlib
import importlib
import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from models.runtimes.cache import FileCache
from models.runtimes.compiled import FloatArray, Run, RuntimeUnusableError
from models.runtimes.exporting import Shape

Precision = Literal["fp32", "bf16", "int8"]


def open_openvino(
    onnx: Callable[[], bytes], shape: Shape, threads: int, precision: Precision, cache: FileCache, key: str
) -> Run:
    """Compile an ONNX network of one input, or load it as it was compiled before.

    Args:
        onnx: gives the file's bytes; called if nothing is cached.
        shape: of one input.
        threads: of one call.
        precision: of the computation; inputs and outputs are float32. For int8 the file says what is rounded, and how.
        cache: for compiled networks.
        key: what tells this network from others in the cache.

    Returns:
        A function that several threads may call at once, with batches of any size.

    Raises:
        RuntimeUnusableError: OpenVINO is not installed, or cannot compile the network.
    """
    openvino = import_openvino()
    core = openvino.Core()
    config = _config(threads, precision)

    def compile_() -> bytes:
        model = core.read_model(onnx())
        # Graphs of fixed sizes are no faster, and each would hold its own copy of the weights.
        model.reshape([-1, *shape])
        compiled: io.BytesIO = core.compile_model(model, "CPU", config).export_model()
        return compiled.getvalue()

    try:
        compiled = cache.fetch(f"{key}-{_compiler(core)}-{precision}.openvino", compile_)
        return _Requests(core.import_model(compiled, "CPU", config))
    except RuntimeError as error:
        raise RuntimeUnusableError(f"OpenVINO cannot compile the network: {error}") from error


def write_ir(onnx: bytes, path: Path) -> Path:
    """Write an ONNX network as OpenVINO's files, in single precision: `path` (.xml) and its weights.

    Returns:
        The path of the weights.

    Raises:
        RuntimeUnusableError: OpenVINO is not installed, or cannot read the network.
    """
    openvino = import_openvino()
    try:
        openvino.save_model(openvino.Core().read_model(onnx), path, compress_to_fp16=False)
    except RuntimeError as error:
        raise RuntimeUnusableError(f"OpenVINO cannot write the network: {error}") from error
    return path.with_suffix(".bin")


def open_ir(path: Path) -> Run:
    """Load OpenVINO's files, to compute in single precision with one thread.

    Raises:
        RuntimeUnusableError: OpenVINO is not installed, or cannot read them.
    """
    core = import_openvino().Core()
    try:
        return _Requests(core.compile_model(path, "CPU", _config(1, "fp32")))
    except RuntimeError as error:
        raise RuntimeUnusableError(f"OpenVINO cannot read {path}: {error}") from error


def import_openvino() -> ModuleType:
    """The `openvino` module, with its telemetry left out.

    Raises:
        RuntimeUnusableError: it is not installed.
    """
    # Importing OpenVINO reports to its makers over the network, unless this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        openvino = importlib.import_module("openvino")
    except ImportError as error:
        raise RuntimeUnusableError("OpenVINO is not installed; pip install openvino") from error
    return openvino


class _Requests(threading.local):
    """One compiled network with a request for each thread, as a request serves one call at a time."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401
        self._request = compiled.create_infer_request()

    def __call__(self, images: FloatArray) -> list[FloatArray]:
        # The request writes over its outputs at the next call.
        return [np.array(output) for output in self._request.infer(images, share_inputs=True).values()]


def _config(threads: int, precision: Precision) -> dict[str, object]:
    # Left to itself it computes in bfloat16 wherever the processor can.
    hint = "bf16" if precision == "bf16" else "f32"
    return {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}


def _compiler(core: Any) -> str:  # noqa: ANN401
    """A digest of what a compiled network is meant for: this OpenVINO on this processor."""
    facts = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return hashlib.sha256(repr([core.get_versions("CPU"), *facts]).encode()).hexdigest()[:8]
