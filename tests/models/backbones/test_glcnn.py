"""Age and gender from gait energy images."""

import pytest
import torch

from models.backbones.glcnn import GLCNN, PART_HEIGHTS, initialise
from tests.models.backbones.counting import build_on_meta, count_giga_macs, count_parameters


@pytest.mark.parametrize(
    ("size", "parameters", "giga_macs"), [((64, 44), 6_983_142, 0.208), ((128, 88), 24_808_934, 0.832)]
)
def test_parameters_and_cost_are_those_of_the_reference(
    size: tuple[int, int], parameters: int, giga_macs: float
) -> None:
    network = build_on_meta("glcnn", input_size=size)

    assert (count_parameters(network), len(network.state_dict())) == (parameters, 18)
    assert round(count_giga_macs(network, (1, *size)), 3) == giga_macs


def test_heads_have_the_wanted_sizes() -> None:
    network = build_on_meta("glcnn", input_size=(128, 88), num_ages=89, num_genders=3)

    output = network(torch.empty(2, 1, 128, 88, device="meta"))

    assert [tuple(part.shape) for part in output] == [(2, 1024), (2, 89), (2, 3)]
    assert network.input_size == (128, 88)


def test_dropout_rests_at_inference() -> None:
    network = GLCNN().eval()
    geis = torch.rand(2, 1, 64, 44)

    with torch.inference_mode():
        assert torch.equal(network(geis).features, network(geis).features)


def test_dropout_works_in_training() -> None:
    torch.manual_seed(0)
    network = GLCNN().train()

    features = network(torch.rand(4, 1, 64, 44)).features

    assert 0.4 < (features == 0).float().mean() < 0.6


@pytest.mark.parametrize("height", PART_HEIGHTS)
def test_the_parts_make_up_the_body(height: int) -> None:
    assert sum(PART_HEIGHTS[height]) == height


def test_parts_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    network = GLCNN()
    geis = torch.rand(1, 1, 64, 44)
    other_head = geis.clone()
    other_head[:, :, :10] = 0

    with torch.inference_mode():
        changed = (network.lc_conv1(geis) != network.lc_conv1(other_head)).any(dim=3).any(dim=1)[0]

    assert changed.tolist() == [True] * 5 + [False] * 27  # the head's 10 rows are 5 after pooling


def test_a_height_without_known_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="height must be 64 or 128"):
        GLCNN(input_size=(96, 64))


@pytest.mark.parametrize("size", [(64, 64), (128, 88), (32, 22)])
def test_a_gei_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError):
        build_on_meta("glcnn")(torch.empty(1, 1, *size, device="meta"))


def test_initialising_follows_glorot_and_bengio() -> None:
    torch.manual_seed(0)
    network = GLCNN()

    initialise(network)

    bound = (6 / (1024 + 1024)) ** 0.5
    weight = network.linear_layer2.weight.detach()
    assert 0.99 * bound < float(weight.abs().max()) <= bound
    assert not network.linear_age.bias.any()
