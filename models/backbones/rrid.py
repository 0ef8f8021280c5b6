"""Relation network for person re-identification (RRID).

Park, Ham: "Relation Network for Person Re-identification", AAAI 2020 (arXiv 1911.09318). Parameter names are those of
the official release, so its checkpoints load once they are unpickled; `local`, `rest` and `relation` are the authors'.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.backbones.resnet import ResNetTrunk

PARTS = (6, 4, 2)  # into how many horizontal bands the feature map is cut, in the order of all lists
PART_CHANNELS = 256


class Relation(NamedTuple):
    """One thing, what stands against it, and both related; each (B, 256)."""

    own: Tensor
    rest: Tensor
    related: Tensor


class RRIDOutput(NamedTuple):
    """What training needs, in the official order: parts of 6, of 4, of 2, then what is global of 6, of 4, of 2.

    Attributes:
        features: (B, 15, 256), the vectors that `forward` concatenates; each gets its own triplet loss.
        related_logits: (B, 12, N) of the parts related to the rest.
        own_logits: (B, 12, N) of the parts alone.
        rest_logits: (B, 12, N) of the rest alone.
        global_logits: (B, 9, N); for 6, 4 and 2 each: contrastive, maximum, rest.
    """

    features: Tensor
    related_logits: Tensor
    own_logits: Tensor
    rest_logits: Tensor
    global_logits: Tensor


class RRIDNet(nn.Module):
    """ResNet-50 trunk, global contrastive pooling and one-vs-rest relations.

    Args:
        num_classes: training identities; 0 builds no classifiers, which is what serving needs.

    Attributes:
        input_size: (height, width) that the authors use; others work too, see `forward`.
    """

    input_size = (384, 128)

    def __init__(self, num_classes: int = 0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.base = ResNetTrunk()
        channels, pair = self.base.stage_channels[-1], 2 * PART_CHANNELS
        # The loops keep the official order of keys.
        for role, in_channels in (("local", channels), ("rest", channels), ("relation", pair)):
            for parts in PARTS:
                self.add_module(f"{role}_{parts}_conv_list", _heads(parts, in_channels))
        for role, in_channels in (("max", channels), ("rest", channels), ("pooling", pair)):
            for parts in PARTS:
                self.add_module(f"global_{parts}_{role}_conv_list", _heads(1, in_channels))
        if num_classes:
            for role in ("local", "rest", "local_rest"):
                for parts in PARTS:
                    self.add_module(f"fc_{role}_{parts}_list", _classifiers(parts, num_classes))
            for role in ("global", "global_max", "global_rest"):
                for parts in PARTS:
                    self.add_module(f"fc_{role}_{parts}_list", _classifiers(1, num_classes))
        self.embedding_dim = (sum(PARTS) + len(PARTS)) * PART_CHANNELS

    def forward(self, images: Tensor) -> Tensor:
        """Embed normalised crops (B, 3, H, W) as (B, 3840), compared by Euclidean distance once of unit length.

        Raises:
            ValueError: the feature map's height, which is H / 16 rounded up, is no multiple of 6.
        """
        local, global_ = self._relations(images)
        return torch.cat([relation.related for relation in (*local, *global_)], dim=1)

    def logits(self, images: Tensor) -> RRIDOutput:
        """Features and the logits of all 45 classifiers.

        Raises:
            ValueError: as `forward`, or the network was built without classifiers.
        """
        if not self.num_classes:
            raise ValueError("this network has no classifiers; build it with num_classes > 0")
        local, global_ = self._relations(images)
        contrastive = [
            (relation.related, relation.own, relation.rest)[kind] for relation in global_ for kind in range(3)
        ]
        by_kind = [self._listed(f"fc_{role}_{{}}_list") for role in ("global", "global_max", "global_rest")]
        return RRIDOutput(
            torch.stack([relation.related for relation in (*local, *global_)], dim=1),
            _classify(self._listed("fc_local_rest_{}_list"), [relation.related for relation in local]),
            _classify(self._listed("fc_local_{}_list"), [relation.own for relation in local]),
            _classify(self._listed("fc_rest_{}_list"), [relation.rest for relation in local]),
            _classify([fc for same_parts in zip(*by_kind, strict=True) for fc in same_parts], contrastive),
        )

    def _relations(self, images: Tensor) -> tuple[list[Relation], list[Relation]]:
        """The 12 parts against the rest, and the 3 maxima against the rest."""
        features = self.base(images)  # (B, 2048, H, W)
        if features.shape[2] % PARTS[0]:
            raise ValueError(f"the feature map is {features.shape[2]} rows high; it must be a multiple of {PARTS[0]}")
        whole = features.amax(dim=(2, 3), keepdim=True)
        local, global_ = [], []
        for parts in PARTS:
            bands = _bands(features, parts)
            local += list(self._one_vs_rest(bands, parts))
            global_.append(self._global_contrastive_pooling(bands, whole, parts))
        return local, global_

    def _one_vs_rest(self, bands: Tensor, parts: int) -> Iterator[Relation]:
        """Relate each part to the mean of the others: the paper's one-vs.-rest relational module."""
        rests = (bands.sum(dim=2, keepdim=True) - bands) / (parts - 1)
        heads = zip(
            *(self._list(f"{role}_{parts}_conv_list") for role in ("local", "rest", "relation")),
            strict=True,
        )
        for i, (local, rest, relation) in enumerate(heads):
            yield _relate(local(bands[:, :, i : i + 1]), rest(rests[:, :, i : i + 1]), relation)

    def _global_contrastive_pooling(self, bands: Tensor, whole: Tensor, parts: int) -> Relation:
        """Relate the maximum of the map to what the parts' maxima hold beyond it: the paper's GCP."""
        rest = (bands.sum(dim=2, keepdim=True) - whole) / (parts - 1)
        max_head, rest_head, pooling = (
            self._list(f"global_{parts}_{role}_conv_list")[0] for role in ("max", "rest", "pooling")
        )
        return _relate(max_head(whole), rest_head(rest), pooling)

    def _list(self, name: str) -> nn.ModuleList:
        return cast(nn.ModuleList, self.get_submodule(name))

    def _listed(self, pattern: str) -> list[nn.Module]:
        return [module for parts in PARTS for module in self._list(pattern.format(parts))]


def _bands(features: Tensor, parts: int) -> Tensor:
    """Maxima of horizontal bands of equal height, (B, C, parts, 1); rows that are left over at the bottom are lost."""
    height, width = features.shape[2] // parts, features.shape[3]
    return nn.functional.max_pool2d(features, (height, width))[:, :, :parts]


def _relate(own: Tensor, rest: Tensor, relation: nn.Module) -> Relation:
    """The residual form that both relations have, of (B, 256, 1, 1) each."""
    related = own + relation(torch.cat([own, rest], dim=1))
    return Relation(own.flatten(1), rest.flatten(1), related.flatten(1))


def _classify(classifiers: list[nn.Module], features: list[Tensor]) -> Tensor:
    return torch.stack([classify(one) for classify, one in zip(classifiers, features, strict=True)], dim=1)


def _heads(count: int, in_channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(in_channels, PART_CHANNELS, 1), nn.BatchNorm2d(PART_CHANNELS), nn.ReLU(inplace=True))
        for _ in range(count)
    )


def _classifiers(count: int, num_classes: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(PART_CHANNELS, num_classes) for _ in range(count))
