"""The gate before a gallery: what is told, or refused, when an enrolled crop shows too little of a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.errors import LOW_QUALITY_CROP, UNKNOWN_MODEL, ProblemError
from app.gallery.domain import Quality
from app.pipelines.pose import HOW_TO_GET_ONE, PosedImage, PoseOptions, PosePipeline
from app.pipelines.reid import Crop, Embedded, ReidPipeline
from models.keypoints import Skeleton
from models.quality import ENOUGH, Visibility, visibility

WHOLE = np.array([[0, 0, np.inf, np.inf]])
"""A box that the pipeline cuts to the whole picture."""

# The bound was found without the mirrored crop, which would cost as much again.
ONE_LOOK = PoseOptions(flip_test=False)

Item = Crop | ProblemError


@dataclass(frozen=True)
class QualityGate:
    """Embeds crops for a gallery, and looks at them as the gallery wants.

    Args:
        reid: embeds.
        pose: finds the keypoints that tell what is seen.
        quality: of the gallery: "off" looks at nothing, "warn" tells, "reject" also refuses.
    """

    reid: ReidPipeline
    pose: PosePipeline
    quality: Quality

    def require_network(self) -> None:
        """Check that there is a network to look with, if one is wanted.

        Raises:
            ProblemError: there is none.
        """
        if self.quality != "off" and not self.pose.networks:
            detail = f"quality {self.quality!r} needs a pose model, and none is served here: {HOW_TO_GET_ONE}"
            raise ProblemError(UNKNOWN_MODEL, f"{detail}; or set the gallery's quality to 'off'", field="quality")

    async def embed(self, files: Sequence[bytes]) -> Embedded:
        """Embed encoded crops; each that could be looked at has its `visibility`, or was refused for it.

        Raises:
            OverloadedError: too much is waiting.
            ProblemError: as `require_network`.
        """
        self.require_network()
        if self.quality == "off":
            return await self.reid.embed(files)
        network = self.pose.network(None)
        seen = await self.pose.find(network, files, [WHOLE] * len(files), ONE_LOOK)
        judged = [_judge(item, network.predictor.skeleton) for item in seen.items]
        refused = {at: problem for at, found in enumerate(judged) if (problem := self._refusal(found))}
        embedded = await self.reid.embed([file for at, file in enumerate(files) if at not in refused])
        rest = iter(embedded.items)
        items = [refused.get(at) or _with(next(rest), found) for at, found in enumerate(judged)]
        return replace(embedded, items=items)

    def _refusal(self, seen: Visibility | None) -> ProblemError | None:
        if self.quality != "reject" or seen is None or seen.score >= ENOUGH:
            return None
        reasons = ", ".join(seen.reasons)
        detail = f"the crop shows {seen.score:.2f} of a person ({reasons}); this gallery takes {ENOUGH:g} or more"
        return ProblemError(LOW_QUALITY_CROP, detail, field="image", limit=ENOUGH, reasons=seen.reasons)


def _judge(item: PosedImage | ProblemError, skeleton: Skeleton) -> Visibility | None:
    """What is seen of the person; None where the picture cannot be read, which embedding will tell too."""
    if isinstance(item, ProblemError):
        return None
    (pose,) = item.poses
    return visibility(pose.points, pose.scores, skeleton, item.size)


def _with(item: Item, seen: Visibility | None) -> Item:
    return replace(item, visibility=seen) if isinstance(item, Crop) else item
