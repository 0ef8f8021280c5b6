"""ONNX Runtime on the CPU, in single precision. The only file that imports it."""

from models.runtimes.compiled import FloatArray, Run, RuntimeUnusableError
from models.runtimes.exporting import INPUT


def open_onnxruntime(onnx: bytes, threads: int) -> Run:
    """Load an ONNX network of one input.

    Args:
        onnx: the file's bytes.
        threads: of one call.

    Returns:
        A function that several threads may call at once, with batches of any size.

    Raises:
        RuntimeUnusableError: ONNX Runtime is not installed, or cannot load the network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeUnusableError("ONNX Runtime is not installed; pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    # Given a number, it does not tie its threads to cores, which other networks and requests need too.
    options.intra_op_num_threads = threads
    # Waiting threads would spin, and take the core from those that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise RuntimeUnusableError(f"ONNX Runtime cannot load the network: {error}") from error

    def run(images: FloatArray) -> list[FloatArray]:
        return list(session.run(None, {INPUT: images}))

    return run
