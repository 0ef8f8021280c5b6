"""A checkpoint as files for other machines, each checked by reading it back and computing with it."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint, load_network
from models.golden import golden_input
from models.runtimes.agreement import Agreement, agreement
from models.runtimes.compiled import CompiledNetwork, RuntimeUnusableError, output_names
from models.runtimes.exporting import INPUT, Shape, export_onnx, export_program
from models.runtimes.onnxruntime import open_onnxruntime
from models.runtimes.openvino import open_ir, write_ir
from models.runtimes.selection import input_shape

Format = Literal["onnx", "openvino", "torch-export"]


def write_files(checkpoint: Checkpoint, weights_dir: Path, format_: Format, folder: Path) -> list[Path]:
    """Write a checkpoint's network in some format, and a card (JSON) that says what goes in and what comes out.

    The written file is opened again, in ONNX Runtime, OpenVINO or torch, and compared with the network on the golden
    picture and on random input, one and three at a time.

    Returns:
        The files that were written, the card last.

    Raises:
        CheckpointError: the network cannot be loaded.
        RuntimeUnusableError: it cannot be written, or the file computes something else; no card is written then.
        OSError: the folder cannot be written.
    """
    network, shape = load_network(checkpoint, weights_dir), input_shape(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    paths, compute = _WRITERS[format_](network, shape, folder / checkpoint.name)
    compared = _compare(network, compute, golden_input(checkpoint.preprocessing)[: shape[0]])
    if not compared.is_exact:
        raise RuntimeUnusableError(f"{paths[0]} does not compute what torch does: cosine {compared.cosine:.6f}")
    card = folder / f"{checkpoint.name}.json"
    card.write_text(json.dumps(_card(checkpoint, network, paths, compared), indent=2) + "\n")
    return [*paths, card]


def _compare(network: nn.Module, compute: Callable[[Tensor], Any], golden: Tensor) -> Agreement:
    random = torch.randn(3, *golden.shape, generator=torch.Generator().manual_seed(1))
    both = [agreement(network, compute, images) for images in (golden[None], random)]
    return Agreement(min(a.cosine for a in both), max(a.relative_error for a in both))


def _write_onnx(network: nn.Module, shape: Shape, stem: Path) -> tuple[list[Path], Callable[[Tensor], Any]]:
    path = stem.with_name(f"{stem.name}.onnx")
    path.write_bytes(export_onnx(network, shape))
    return [path], CompiledNetwork(network, open_onnxruntime(path.read_bytes(), threads=1))


def _write_openvino(network: nn.Module, shape: Shape, stem: Path) -> tuple[list[Path], Callable[[Tensor], Any]]:
    path = stem.with_name(f"{stem.name}.xml")
    for file in (path, path.with_suffix(".bin")):
        file.write_bytes(b"")  # what cannot be written says so in one line, which OpenVINO does not
    weights = write_ir(export_onnx(network, shape), path)
    return [path, weights], CompiledNetwork(network, open_ir(path))


def _write_program(network: nn.Module, shape: Shape, stem: Path) -> tuple[list[Path], Callable[[Tensor], Any]]:
    path = stem.with_name(f"{stem.name}.pt2")
    program = io.BytesIO()
    # It warns of weights that share memory, as those read from one file do; they are compared after it is read back.
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(export_program(network, shape), program)
    path.write_bytes(program.getvalue())
    return [path], torch.export.load(path).module()


_FRAMING = {
    "reid": "a person's crop, stretched to the shape; bilinear, antialiased",
    "pose": "a person's box, widened by 1.25 and to the shape's proportions; bilinear, black outside the picture",
    "gait": "a gait energy image of the shape, 0 to 255",
    "classification": "the centre of the picture; bilinear, antialiased",
}
_WRITERS = {"onnx": _write_onnx, "openvino": _write_openvino, "torch-export": _write_program}


def _card(checkpoint: Checkpoint, network: nn.Module, paths: list[Path], compared: Agreement) -> dict[str, Any]:
    """What a program on another machine needs to know to use the file."""
    seen = checkpoint.preprocessing
    channels, height, width = input_shape(checkpoint)
    return {
        "checkpoint": checkpoint.name,
        "task": checkpoint.task,
        "network": checkpoint.network,
        "arguments": checkpoint.arguments,
        "weights_sha256": checkpoint.sha256,
        "files": [path.name for path in paths],
        "input": {
            "name": INPUT,
            "dtype": "float32",
            "shape": ["batch", channels, height, width],
            "colours": "RGB" if channels == 3 else "grey",
            "scale": "divide by 255, subtract mean, divide by std",
            "mean": seen.mean[:channels],
            "std": seen.std[:channels],
            "framing": _FRAMING[checkpoint.task],
        },
        "outputs": output_names(network),
        "mirrored_too": seen.flip,
        "licence": checkpoint.licence,
        "commercial_use": checkpoint.commercial_use,
        "compared_with_torch": {"cosine": compared.cosine, "relative_error": compared.relative_error},
    }
