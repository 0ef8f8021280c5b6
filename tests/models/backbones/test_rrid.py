"""The relation network for re-identification."""

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from models.backbones.resnet import ResNetTrunk
from models.backbones.rrid import RRIDNet
from tests.models.backbones.counting import build_on_meta, count_giga_macs, count_parameters


@pytest.fixture(scope="module")
def on_features() -> RRIDNet:
    """A network that takes its trunk's features (B, 2048, H, W) for images."""
    torch.manual_seed(0)
    network = RRIDNet(num_classes=5).eval()
    network.base = cast(ResNetTrunk, nn.Identity())
    return network.double()


def plain_features(network: RRIDNet, features: Tensor) -> list[Tensor]:
    """The 15 features, one step after the other as the paper has them."""
    height = features.shape[2]
    local, global_ = [], []
    for parts in (6, 4, 2):
        band = height // parts
        maxima = [features[:, :, i * band : (i + 1) * band].amax(dim=(2, 3), keepdim=True) for i in range(parts)]
        for i, own in enumerate(maxima):
            rest = torch.stack([other for j, other in enumerate(maxima) if j != i]).mean(dim=0)
            heads = [network.get_submodule(f"{role}_{parts}_conv_list.{i}") for role in ("local", "rest", "relation")]
            local.append(plain_relation(own, rest, *heads))
        whole = features.amax(dim=(2, 3), keepdim=True)
        rest = (torch.stack(maxima).sum(dim=0) - whole) / (parts - 1)
        heads = [network.get_submodule(f"global_{parts}_{role}_conv_list.0") for role in ("max", "rest", "pooling")]
        global_.append(plain_relation(whole, rest, *heads))
    return local + global_


def plain_relation(own: Tensor, rest: Tensor, own_head: nn.Module, rest_head: nn.Module, relation: nn.Module) -> Tensor:
    embedded = own_head(own)
    related: Tensor = embedded + relation(torch.cat([embedded, rest_head(rest)], dim=1))
    return related.flatten(1)


@pytest.mark.parametrize("height", [6, 12, 18, 24, 30])
def test_the_embedding_is_that_of_the_paper_at_any_height(on_features: RRIDNet, height: int) -> None:
    features = torch.rand(2, 2048, height, 3, dtype=torch.float64)

    with torch.inference_mode():
        embedding = on_features(features)

    torch.testing.assert_close(embedding, torch.cat(plain_features(on_features, features), dim=1))


def test_rows_left_over_reach_the_global_maximum_only(on_features: RRIDNet) -> None:
    features = torch.rand(1, 2048, 18, 3, dtype=torch.float64)
    changed = features.clone()
    changed[:, :, 16:] += 1  # rows 16 and 17 are beyond the four bands of 4 rows

    with torch.inference_mode():
        moved = (on_features(changed) - on_features(features)).unflatten(1, (15, 256)).abs().amax(dim=(0, 2))

    assert not moved[6:10].any()
    assert moved[13] > 0


def test_a_map_that_six_does_not_divide_is_refused(on_features: RRIDNet) -> None:
    with pytest.raises(ValueError, match="16 rows high"):
        on_features(torch.rand(1, 2048, 16, 8, dtype=torch.float64))


def test_training_gets_the_same_features_and_all_logits(on_features: RRIDNet) -> None:
    features = torch.rand(2, 2048, 24, 3, dtype=torch.float64)

    with torch.inference_mode():
        output = on_features.logits(features)
        embedding = on_features(features)

    assert torch.equal(output.features.flatten(1), embedding)
    assert [tuple(part.shape) for part in output[1:]] == [(2, 12, 5), (2, 12, 5), (2, 12, 5), (2, 9, 5)]


def test_a_serving_network_has_no_classifiers() -> None:
    with torch.device("meta"):
        network = RRIDNet()

    assert not [name for name in network.state_dict() if name.startswith("fc_")]
    with pytest.raises(ValueError, match="num_classes"):
        network.logits(torch.empty(1, 3, 384, 128, device="meta"))


def test_parameters_and_cost_are_those_of_the_authors_code() -> None:
    training = build_on_meta("rrid_resnet50", num_classes=751)
    serving = build_on_meta("rrid_resnet50")

    assert (count_parameters(training), len(training.state_dict())) == (49_922_627, 723)
    assert count_parameters(serving) == 41_237_312
    assert round(count_giga_macs(training, (3, 384, 128), "logits"), 3) == 6.106


def test_the_embedding_has_the_stated_size() -> None:
    with torch.device("meta"):
        network = RRIDNet().eval()
        embedding = network(torch.empty(2, 3, 384, 128))

    assert network.embedding_dim == 3840
    assert embedding.shape == (2, 3840)
