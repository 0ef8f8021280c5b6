"""Tiny exported networks, whose answers are known."""

from pathlib import Path

import numpy as np
import onnx
import openvino
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from openvino import opset13 as opset

Answer = NDArray[np.float32]


def write_onnx(path: Path, answer: Answer, input_shape: tuple[int, ...]) -> Path:
    """An ONNX network that gives the same answer to every input."""
    constant = numpy_helper.from_array(answer, "answer")
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["output"]),
    ]
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, answer.shape)]
    graph = helper.make_graph(nodes, "constant", inputs, outputs, [constant, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def write_openvino(path: Path, answer: Answer, input_shape: tuple[int, ...]) -> Path:
    """An OpenVINO network that answers with an SSD table, to whose scores it adds the mean of its input."""
    image = opset.parameter(input_shape, np.float32, name="image")
    axes = opset.constant(np.arange(len(input_shape)))
    mean = opset.reduce_mean(image, axes, keep_dims=False)
    is_score = np.arange(answer.shape[-1]) == 2
    added = opset.multiply(opset.constant(is_score.astype(np.float32)), mean)
    output = opset.add(opset.constant(answer), added)
    openvino.save_model(openvino.Model([output], [image]), path, False)
    return path
