"""Torchvision's detectors, with weights of the manifest. The only file that imports torchvision."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import nn

from models.detectors.base import DEFAULT_MIN_SCORE, Detections, DetectorError, Image, detections_within
from models.transforms import to_tensor

NETWORKS = ("fasterrcnn_resnet50_fpn_v2", "ssdlite320_mobilenet_v3_large")
PERSON = 1
COCO_CLASSES = 91


def build_torchvision(name: str, num_classes: int = COCO_CLASSES) -> nn.Module:
    """Build one of `NETWORKS` with fresh weights; nothing is downloaded.

    Args:
        name: torchvision's.
        num_classes: with the background.

    Raises:
        DetectorError: torchvision is not installed, or is made for another build of torch.
        ValueError: the name is not known.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown detector {name!r}; choose from {', '.join(NETWORKS)}")
    network: nn.Module = getattr(_detection(), name)(weights=None, weights_backbone=None, num_classes=num_classes)
    return network


def _detection() -> ModuleType:
    try:
        from torchvision.models import detection
    except ModuleNotFoundError as error:
        raise DetectorError("torchvision is not installed: pip install 'gaitkeeper[torchvision]'") from error
    except (ImportError, RuntimeError, OSError) as error:
        raise DetectorError(
            f"torchvision is not made for torch {torch.__version__} ({error}); install both from the same index"
        ) from error
    return detection  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TorchvisionDetector:
    """Finds persons with one of torchvision's networks.

    Attributes:
        network: of `build_torchvision`, in evaluation mode, trained on COCO's classes.
        min_score: persons below are left out.
    """

    network: nn.Module
    min_score: float = DEFAULT_MIN_SCORE

    @torch.inference_mode()
    def detect(self, image: Image) -> Detections:
        """Find the persons in an RGB image (H, W, 3)."""
        device = next(self.network.parameters()).device
        answer = self.network([to_tensor(image).to(device) / 255])[0]
        persons = (answer["labels"] == PERSON) & (answer["scores"] >= self.min_score)
        boxes, scores = (answer[key][persons].cpu().numpy() for key in ("boxes", "scores"))
        return detections_within(np.asarray(boxes), np.asarray(scores), (image.shape[0], image.shape[1]))
