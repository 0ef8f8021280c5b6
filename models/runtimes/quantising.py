"""Networks in int8: convolutions and fully connected layers, by the ranges that real pictures give them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint, load_network
from models.golden import golden_path, in_int8, write_golden
from models.runtimes.cache import FileCache
from models.runtimes.compiled import FloatArray, RuntimeUnusableError
from models.runtimes.exporting import INPUT, export_onnx
from models.runtimes.int8_files import CONTENT, WEIGHTS, content_of, int8_path
from models.runtimes.likeness import answer_of, likeness
from models.runtimes.selection import RuntimeOptions, accelerate, input_shape

# What RGA's attention computes weighs every feature, so that its rounding blurs them all.
KEPT_IN_FLOAT = ("/rga_att",)
QUANTISED = ["Conv", "Gemm"]
BATCH = 8
FEWEST = 40
"""Pictures; a fifth is compared with, the rest tells ranges."""
NEAR = {"reid": ("cosine, median", 0.95), "pose": ("apart, median pixels", 0.5), "gait": ("apart, median years", 1.0)}
"""What is farther off is no rounding any more, and is not written."""
OPTIONS = {
    # Only what goes into a layer is rounded. What comes out is often a part of a sum, whose other parts it would blur.
    "OpTypesToExcludeOutputQuantization": QUANTISED,
    # The mean extremes of some batches, as a single odd picture would widen the range, and coarsen it, for all.
    "CalibMovingAverage": True,
    "CalibMovingAverageConstant": 0.1,
}


def quantise(onnx: bytes, images: FloatArray, weights_sha256: str) -> bytes:
    """Write a network's convolutions and fully connected layers in int8; everything else stays float32.

    Weights are rounded for each output channel, what goes into a layer by the range that the pictures give it. The file
    answers the same on processors with and without instructions for int8.

    Args:
        onnx: what `export_onnx` wrote.
        images: (N, C, H, W) real pictures, as the network sees them; in no order.
        weights_sha256: of the weights that were exported; written into the file.

    Returns:
        An ONNX file that takes and returns what the given one does.

    Raises:
        RuntimeUnusableError: ONNX Runtime is not installed, or cannot quantise the network.
    """
    try:
        import onnx as onnx_files
        from onnxruntime.quantization import QuantType, quantize_static
    except ImportError as error:
        raise RuntimeUnusableError("int8 is written by ONNX Runtime; pip install onnx onnxruntime") from error
    names = [node.name for node in onnx_files.load_from_string(onnx).graph.node]
    with TemporaryDirectory() as folder, _without_advice():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(onnx)
        try:
            quantize_static(
                source,
                target,
                _Batches(images),
                op_types_to_quantize=QUANTISED,
                nodes_to_exclude=[name for name in names if any(part in name for part in KEPT_IN_FLOAT)],
                per_channel=True,
                # Seven bits for weights: with eight, processors without VNNI overflow, and answer something else.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options=OPTIONS,
            )
        except Exception as error:  # its errors have no common class
            raise RuntimeUnusableError(f"ONNX Runtime cannot quantise the network: {error}") from error
        quantised = onnx_files.load(target)
    onnx_files.helper.set_model_props(quantised, {WEIGHTS: weights_sha256, CONTENT: content_of(quantised)})
    file: bytes = quantised.SerializeToString()
    return file


def write_int8(checkpoint: Checkpoint, weights_dir: Path, images: Tensor, folder: Path) -> dict[str, float]:
    """Quantise a checkpoint's network, and write it once it has been found to answer nearly what it did.

    A fifth of the pictures, the first ones, is held back to compare with. The file is `int8_path`, and its golden
    sample lies beside it as those of other weights do.

    Args:
        checkpoint: its manifest entry.
        weights_dir: where its weights lie.
        images: (N, C, H, W) real pictures as the network sees them, in no order.
        folder: to write to; made if it is not there.

    Returns:
        How far the answers for the pictures held back lie apart: see `models.runtimes.likeness`.

    Raises:
        CheckpointError: the network cannot be loaded.
        ValueError: there are too few pictures, it cannot be quantised or computed here, or it answers something else.
        OSError: the folder cannot be written.
    """
    if len(images) < FEWEST:
        raise ValueError(f"there are {len(images)} pictures to quantise by; give at least {FEWEST}")
    network, held_back = load_network(checkpoint, weights_dir), images[: len(images) // 5]
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f".{checkpoint.name}-") as unfinished:
        drafts = Path(unfinished)
        try:
            file = quantise(
                export_onnx(network, input_shape(checkpoint)), images[len(held_back) :].numpy(), checkpoint.sha256
            )
        except RuntimeUnusableError as error:
            raise ValueError(str(error)) from error
        int8_path(checkpoint, drafts).write_bytes(file)
        options = RuntimeOptions(torch.device("cpu"), precision="int8", int8_dir=drafts)
        rounded = accelerate(network, checkpoint, options, FileCache(None))
        figures = _compare(checkpoint, network, rounded, held_back)
        write_golden(in_int8(checkpoint), rounded, drafts)
        (folder / "golden").mkdir(exist_ok=True)
        for place in (partial(int8_path, checkpoint), partial(golden_path, in_int8(checkpoint))):
            place(drafts).replace(place(folder))
    return figures


@torch.inference_mode()
def _compare(checkpoint: Checkpoint, network: nn.Module, rounded: nn.Module, images: Tensor) -> dict[str, float]:
    answer = answer_of(checkpoint)
    true, other = (torch.cat([answer(way(part)) for part in torch.split(images, BATCH)]) for way in (network, rounded))
    figures = likeness(checkpoint.task, true, other)
    measure, bound = NEAR[checkpoint.task]
    far = figures[measure] < bound if checkpoint.task == "reid" else figures[measure] > bound
    if far:
        raise ValueError(f"{checkpoint.name} does not bear int8: {measure} is {figures[measure]:.3f}, beyond {bound}")
    return figures


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep ONNX Runtime from telling the root logger what it misses: preparation that the exporter has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


class _Batches:
    """Pictures as ONNX Runtime asks for them: a batch a call, then None."""

    def __init__(self, images: FloatArray) -> None:
        starts = range(0, len(images), BATCH)
        self._batches: Iterator[dict[str, FloatArray]] = iter({INPUT: images[s : s + BATCH]} for s in starts)

    def get_next(self) -> dict[str, FloatArray] | None:
        return next(self._batches, None)
