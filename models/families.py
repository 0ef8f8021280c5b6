"""What files of each kind of network look like: their task, their training heads, and what their shapes tell."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from models.checkpoint import Preprocessing

Arguments: TypeAlias = dict[str, Any]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

# Hourglasses see RGB in 0..1 as it is (princeton) or with this mean taken off (bearpaw, whose deviation goes unused).
BEARPAW_MEAN = (0.4404, 0.4440, 0.4327)


@dataclass(frozen=True)
class Family:
    """Networks that are told apart by their arguments only.

    Attributes:
        task: see `Checkpoint.task`.
        arguments: reads a network's arguments off the shapes of its parameters; raises KeyError if one is missing.
        preprocessing: the authors' choice for these arguments.
        head: prefix of parameters that only training needs; a network without the argument `num_classes` has none.
    """

    task: str
    arguments: Callable[[Shapes], Arguments]
    preprocessing: Callable[[Arguments], Preprocessing]
    head: str = ""


def family_of(network: str) -> Family:
    """The family of a network of `models.names()`.

    Raises:
        ValueError: the network is of none.
    """
    for pattern, family in FAMILIES.items():
        if fnmatchcase(network, pattern):
            return family
    raise ValueError(f"network {network!r} is of no family whose files can be imported")


def _rga(shapes: Shapes) -> Arguments:
    arguments: Arguments = {"width": shapes["backbone.conv1.weight"][0]}
    if "cls.weight" in shapes:
        arguments["num_classes"] = shapes["cls.weight"][0]
    if size := _attended_size(shapes):
        arguments["input_size"] = size
    return arguments


def _attended_size(shapes: Shapes) -> tuple[int, int] | None:
    """The size of the crops from the positions that attention weights fit, if crops are twice as high as wide."""
    attention = "backbone.rga_att1."
    if relations := shapes.get(f"{attention}gg_spatial.0.weight"):
        positions = relations[1] // 2
    elif nodes := shapes.get(f"{attention}gx_channel.0.weight"):
        positions = nodes[1]
    else:
        return None
    columns = math.isqrt(positions // 2)
    return (8 * columns, 4 * columns) if 2 * columns * columns == positions else None


def _rrid(shapes: Shapes) -> Arguments:
    classifier = shapes.get("fc_local_rest_6_list.0.weight")
    return {"num_classes": classifier[0]} if classifier else {}


def _hrnet_pose(shapes: Shapes) -> Arguments:
    return {"num_keypoints": shapes["final_layer.weight"][0]}


def _hrnet_cls(shapes: Shapes) -> Arguments:
    return {"num_classes": shapes["classifier.weight"][0]}


def _princeton(shapes: Shapes) -> Arguments:
    num_keypoints, channels = shapes["outs.0.conv.weight"][:2]
    stacks = _count(shapes, "outs.{}.conv.weight")
    return {"num_stacks": stacks, "num_keypoints": num_keypoints, "channels": channels}


def _bearpaw(shapes: Shapes) -> Arguments:
    num_keypoints, channels = shapes["score.0.weight"][:2]
    stacks, blocks = _count(shapes, "score.{}.weight"), _count(shapes, "res.0.{}.conv1.weight")
    return {"num_stacks": stacks, "num_blocks": blocks, "num_keypoints": num_keypoints, "channels": channels}


def _glcnn(shapes: Shapes) -> Arguments:
    inputs = shapes["linear_layer1.weight"][1]
    sizes = {128 * (h // 8) * (w // 8): (h, w) for h, w in ((64, 44), (128, 88))}
    size = {"input_size": sizes[inputs]} if inputs in sizes else {}
    return {**size, "num_ages": shapes["linear_age.weight"][0], "num_genders": shapes["linear_gender.weight"][0]}


def _count(shapes: Shapes, pattern: str) -> int:
    """How many of pattern.format(0), pattern.format(1), … there are before the first gap."""
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count


def _rga_preprocessing(arguments: Arguments) -> Preprocessing:
    return Preprocessing(arguments.get("input_size", (256, 128)))


def _pose_preprocessing(arguments: Arguments) -> Preprocessing:
    return Preprocessing((256, 192) if arguments["num_keypoints"] == 17 else (256, 256), flip=True)


def _glcnn_preprocessing(arguments: Arguments) -> Preprocessing:
    return Preprocessing(arguments.get("input_size", (64, 44)), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def _fixed(preprocessing: Preprocessing) -> Callable[[Arguments], Preprocessing]:
    return lambda _: preprocessing


_RGA = Family("reid", _rga, _rga_preprocessing, head="cls.")
FAMILIES = {  # by patterns of network names; the first that fits counts
    "rga_*": _RGA,
    "resnet18_bnneck": _RGA,
    "rrid_*": Family("reid", _rrid, _fixed(Preprocessing((384, 128), flip=True)), head="fc_"),
    "hrnet_*_pose": Family("pose", _hrnet_pose, _pose_preprocessing),
    "hrnet_*_cls": Family("classification", _hrnet_cls, _fixed(Preprocessing((224, 224)))),
    "hourglass_princeton": Family(
        "pose", _princeton, _fixed(Preprocessing((256, 256), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), flip=True))
    ),
    "hourglass_bearpaw": Family(
        "pose", _bearpaw, _fixed(Preprocessing((256, 256), BEARPAW_MEAN, (1.0, 1.0, 1.0), flip=True))
    ),
    # These resize and normalise by themselves; the size is the one that they were trained with.
    "ssdlite320_*": Family("detection", lambda _: {}, _fixed(Preprocessing((320, 320)))),
    "fasterrcnn_*": Family("detection", lambda _: {}, _fixed(Preprocessing((800, 1333)))),
    "glcnn": Family("gait", _glcnn, _glcnn_preprocessing),
}
