"""Relation-aware global attention."""

import copy

import pytest
import torch
from torch import Tensor, nn

import models
from models.backbones.rga import RGAModule, RGANet, level_gates, relation_features, relation_features_explicit
from tests.models.backbones.counting import build_on_meta, count_giga_macs, count_parameters


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


def explicit_twin(network: nn.Module) -> nn.Module:
    """A copy that forms the relation matrices."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, RGAModule):
            module.factorised = False
    return twin


def largest_relative_difference(ours: Tensor, expected: Tensor) -> float:
    ours, expected = ours.detach(), expected.detach()
    return float((ours - expected).abs().max() / expected.abs().max())


def test_relations_need_no_relation_matrix() -> None:
    theta, phi = torch.randn(2, 3, 5, 40, dtype=torch.float64)
    weight = torch.randn(7, 80, dtype=torch.float64)

    factorised = relation_features(theta, phi, weight)

    assert largest_relative_difference(factorised, relation_features_explicit(theta, phi, weight)) < 1e-12


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("spatial", "channel"), [(True, True), (True, False), (False, True)], ids=["sc", "s", "c"])
def test_a_factorised_module_equals_the_explicit_one(spatial: bool, channel: bool, training: bool) -> None:
    module = RGAModule(32, 8 * 6, spatial=spatial, channel=channel).double().train(training)
    x = torch.randn(3, 32, 8, 6, dtype=torch.float64)

    assert largest_relative_difference(module(x), explicit_twin(module)(x)) < 1e-12


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_factorised_network_equals_the_explicit_one(training: bool) -> None:
    network = models.create("rga_sc_resnet18", input_size=(64, 32), width=16).double().train(training)
    images = torch.randn(4, 3, 64, 32, dtype=torch.float64)

    assert largest_relative_difference(network(images), explicit_twin(network)(images)) < 1e-12


def test_gradients_of_both_forms_are_equal() -> None:
    module = RGAModule(16, 4 * 4).double()
    twin = explicit_twin(module)
    x = torch.randn(2, 16, 4, 4, dtype=torch.float64)

    module(x).square().sum().backward()
    twin(x).square().sum().backward()

    for ours, expected in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (6, 6), (4, 6)])
def test_a_module_refuses_another_map_size(size: tuple[int, int]) -> None:
    module = RGAModule(16, 8 * 6)

    with pytest.raises(RuntimeError):
        module(torch.randn(1, 16, *size))


def test_an_unknown_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="attention is 'cs'"):
        models.create("rga_sc_resnet18", attention="cs")


def test_training_needs_a_classifier() -> None:
    network = RGANet(input_size=(64, 32), width=16)

    with pytest.raises(ValueError, match="num_classes"):
        network.logits(torch.randn(2, 3, 64, 32))


@pytest.mark.parametrize(
    ("attention", "parameters", "giga_macs"),
    [("sc", 31_397_040, 9.826), ("s", 28_306_744, 6.764), ("c", 28_173_240, 7.117)],
)
def test_the_explicit_form_costs_what_the_authors_code_does(attention: str, parameters: int, giga_macs: float) -> None:
    network = build_on_meta(f"rga_{attention}_resnet50", num_classes=767, factorised=False)

    assert count_parameters(network) == parameters
    assert round(count_giga_macs(network, (3, 256, 128), "logits"), 3) == giga_macs


def test_factorising_halves_the_cost() -> None:
    factorised, explicit = (build_on_meta("rga_sc_resnet50", factorised=form) for form in (True, False))

    assert count_giga_macs(factorised, (3, 256, 128)) < 0.52 * count_giga_macs(explicit, (3, 256, 128))


def test_levelled_gates_let_every_node_pass_alike() -> None:
    module = RGAModule(16, 32).eval()
    level_gates(module)
    maps = torch.randn(2, 16, 8, 4)

    torch.testing.assert_close(module(maps), maps / 4)
