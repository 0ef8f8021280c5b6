"""Running exported networks: ONNX by onnxruntime, OpenVINO IR by openvino."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.detectors.base import DetectorError
from models.runtimes.compiled import RuntimeUnusableError
from models.runtimes.openvino import import_openvino

Forward: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def load_exported(path: Path) -> Forward:
    """Open a network of one input and take its first output; several threads may call it at once.

    Args:
        path: an ONNX file (.onnx), or an OpenVINO IR (.xml, with the .bin beside it).

    Raises:
        DetectorError: the file is missing, of another kind or broken, or its runtime is not installed.
    """
    loaders = {".onnx": _load_onnx, ".xml": _load_openvino}
    if path.suffix not in loaders:
        raise DetectorError(f"{path} is neither ONNX (.onnx) nor an OpenVINO IR (.xml)")
    if not path.is_file():
        raise DetectorError(f"{path} is missing")
    try:
        return loaders[path.suffix](path)
    except (ImportError, RuntimeUnusableError) as error:
        raise DetectorError(f"{path.name} needs a runtime that is not installed: {error}") from error
    except Exception as error:  # each runtime has errors of its own, without a common base
        raise DetectorError(f"{path} cannot be opened: {_first_line(error)}") from error


def _load_onnx(path: Path) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: batch})[0], np.float32)

    return forward


def _load_openvino(path: Path) -> Forward:
    openvino = import_openvino()
    # Left alone, it computes in bfloat16 where the processor can.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    requests = threading.local()

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        # A request holds the memory of one call, so each thread has its own.
        request: Any = getattr(requests, "own", None)
        if request is None:
            request = requests.own = compiled.create_infer_request()
        request.infer([batch])
        return np.array(request.get_output_tensor(0).data, np.float32)

    return forward


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
