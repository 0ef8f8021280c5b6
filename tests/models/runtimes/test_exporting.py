from collections import Counter

import onnx
import pytest
import torch
from torch import Tensor, nn

from models.backbones.rga import RGAModule
from models.runtimes.compiled import RuntimeUnusableError, output_names
from models.runtimes.exporting import export_onnx, export_program
from tests.models.runtimes.tiny import GLCNN, RGA, random_images


class Eigen(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        roots: Tensor = torch.linalg.eigvals(images)
        return roots.real


@pytest.mark.parametrize(("factorised", "products"), [(True, 3), (False, 2)])
def test_rga_is_written_in_the_form_it_is_computed_in(factorised: bool, products: int) -> None:
    network = RGA.build()
    for module in network.modules():
        if isinstance(module, RGAModule):
            module.factorised = factorised

    graph = onnx.load_from_string(export_onnx(network, RGA.shape)).graph

    attentions = 8  # spatial and channel, after each of four stages
    assert Counter(node.op_type for node in graph.node)["MatMul"] == products * attentions


def test_a_file_names_its_input_and_outputs_and_leaves_the_batch_free() -> None:
    network = GLCNN.build()

    graph = onnx.load_from_string(export_onnx(network, GLCNN.shape)).graph

    (images,) = graph.input
    sides = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, sides) == ("images", ["batch", 1, 64, 44])
    names = ("features", "age_logits", "gender_logits")
    assert tuple(output.name for output in graph.output) == output_names(network) == names


def test_a_program_takes_any_batch() -> None:
    network, images = GLCNN.build(), random_images(5, GLCNN.shape)

    program = export_program(network, GLCNN.shape).module()

    with torch.no_grad():
        torch.testing.assert_close(program(images), tuple(network(images)))


def test_what_onnx_cannot_say_is_told_in_one_line() -> None:
    with pytest.raises(RuntimeUnusableError, match=r"Eigen cannot be written as ONNX: .*eigvals") as told:
        export_onnx(Eigen().eval(), (1, 4, 4))

    assert "\n" not in str(told.value)
