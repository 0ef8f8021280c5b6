"""Every network by name: a builder each, in a plain dictionary."""

from collections.abc import Callable
from functools import partial

from torch import nn

from models.backbones.glcnn import GLCNN
from models.backbones.hourglass import BearpawHourglass, PrincetonHourglass
from models.backbones.hrnet import HRNetClassifier, HRNetPose
from models.backbones.rga import RGANet
from models.backbones.rrid import RRIDNet
from models.detectors.torchvision import NETWORKS, build_torchvision

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "rga_sc_resnet50": partial(RGANet, attention="sc"),
    "rga_s_resnet50": partial(RGANet, attention="s"),
    "rga_c_resnet50": partial(RGANet, attention="c"),
    "rga_sc_resnet18": partial(RGANet, attention="sc", depths=(2, 2, 2, 2), bottleneck=False),
    "resnet18_bnneck": partial(RGANet, attention="", depths=(2, 2, 2, 2), bottleneck=False),
    "rrid_resnet50": RRIDNet,
    "hrnet_w32_pose": partial(HRNetPose, 32),
    "hrnet_w48_pose": partial(HRNetPose, 48),
    **{f"hrnet_w{width}_cls": partial(HRNetClassifier, width) for width in (18, 30, 32, 40, 44, 48, 64)},
    "hrnet_w18_small_v1_cls": partial(HRNetClassifier, 16, stem_width=32, stem_blocks=1, exchanges=(1, 1, 1), blocks=2),
    "hrnet_w18_small_v2_cls": partial(HRNetClassifier, 18, stem_blocks=2, exchanges=(1, 3, 2), blocks=2),
    "hourglass_princeton": PrincetonHourglass,
    "hourglass_bearpaw": BearpawHourglass,
    "glcnn": GLCNN,
    **{name: partial(build_torchvision, name) for name in NETWORKS},
}


def names() -> list[str]:
    """The names that `create` knows, sorted."""
    return sorted(BUILDERS)


def create(name: str, **kwargs: object) -> nn.Module:
    """Build a network with fresh weights, in training mode.

    Args:
        name: one of `names()`.
        kwargs: the builder's keyword arguments, such as `num_classes` or `input_size`.

    Raises:
        ValueError: the name is not known; the message lists those that are.
    """
    if name not in BUILDERS:
        raise ValueError(f"unknown network {name!r}; choose from {', '.join(names())}")
    return BUILDERS[name](**kwargs)
