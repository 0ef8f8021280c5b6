"""Many enrolments in one request: each item on its own, those of one person together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.engine.refusals import OverloadedError
from app.errors import NO_IMAGE, OVERLOADED, ProblemError
from app.gallery.domain import EnrolledShot, NewShot
from app.gallery.errors import GalleryError
from app.pipelines.gate import QualityGate
from app.pipelines.problems import gallery_problem
from app.pipelines.reid import Crop, Embedding, ReidPipeline
from models.quality import Visibility

EMBEDDED_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class BulkItem:
    """One shot to enrol.

    Attributes:
        picture: encoded; or else
        embedding: (D,) of unit length.
        label: of the identity; None leaves it as it is.
        camera, taken_at, metadata, quality: of the shot; no quality is that of the picture.
        idempotency_key: None if the item has none.
    """

    identity_id: str
    picture: bytes | None
    embedding: Embedding | None
    label: str | None
    camera: str | None
    taken_at: float | None
    metadata: dict[str, Any]
    quality: float | None
    idempotency_key: str | None

    def shot(self, crop: Crop) -> NewShot:
        """What is enrolled, once it is embedded."""
        quality = crop.quality if self.quality is None else self.quality
        return NewShot(crop.embedding, crop.sha256, self.camera, self.taken_at, self.metadata, quality)


@dataclass(frozen=True)
class Stored:
    """A shot that is in the gallery, and how much of a person it shows, if the gallery asks."""

    shot: EnrolledShot
    visibility: Visibility | None


Outcome = Stored | ProblemError


async def enrol_batch(gate: QualityGate, gallery: str, items: Sequence[BulkItem | ProblemError]) -> list[Outcome]:
    """Enrol items of any identities through a gallery's gate; what is answered as created is on disk.

    Nothing is undone where items fail; sending all of them again enrols what is missing and finds the rest there.

    Returns:
        What became of each item, in order.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(items), EMBEDDED_AT_ONCE):
        outcomes += await _enrol_some(gate, gallery, items[start : start + EMBEDDED_AT_ONCE])
    return outcomes


async def _enrol_some(gate: QualityGate, gallery: str, items: Sequence[BulkItem | ProblemError]) -> list[Outcome]:
    crops = await _embedded(gate, items)
    outcomes: dict[int, Outcome] = {}
    # An item with a key of its own is answered on its own.
    together: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for place, (item, crop) in enumerate(zip(items, crops, strict=True)):
        if isinstance(item, ProblemError):
            outcomes[place] = item
        elif isinstance(crop, ProblemError):
            outcomes[place] = crop
        else:
            together[item.identity_id, item.idempotency_key].append(place)
    for places in together.values():
        chosen = [(items[place], crops[place]) for place in places]
        pairs = [(item, crop) for item, crop in chosen if isinstance(item, BulkItem) and isinstance(crop, Crop)]
        outcomes.update(zip(places, await _enrol_one_person(gate.reid, gallery, pairs), strict=True))
    return [outcomes[place] for place in range(len(items))]


async def _enrol_one_person(
    reid: ReidPipeline, gallery: str, pairs: Sequence[tuple[BulkItem, Crop]]
) -> Sequence[Outcome]:
    first = pairs[0][0]
    label = next((item.label for item, _ in reversed(pairs) if item.label is not None), None)
    shots = [item.shot(crop) for item, crop in pairs]
    try:
        enrolment = await reid.in_store(
            reid.store.enrol, gallery, first.identity_id, shots, reid.checkpoint.sha256, label, first.idempotency_key
        )
    except GalleryError as error:
        return [gallery_problem(error)] * len(pairs)
    return [Stored(shot, crop.visibility) for shot, (_, crop) in zip(enrolment.shots, pairs, strict=True)]


async def _embedded(gate: QualityGate, items: Sequence[BulkItem | ProblemError]) -> list[Crop | ProblemError]:
    pictures = [item.picture for item in items if isinstance(item, BulkItem) and item.picture is not None]
    try:
        found = iter((await gate.embed(pictures)).items if pictures else [])
    except OverloadedError as error:
        busy = ProblemError(OVERLOADED, "the service was busy; send this item again", limit=error.limit)
        found = iter([busy] * len(pictures))
    crops: list[Crop | ProblemError] = []
    for item in items:
        if isinstance(item, ProblemError):
            crops.append(item)
        elif item.picture is not None:
            crops.append(next(found))
        elif item.embedding is not None:
            crops.append(Crop(item.embedding, None))
        else:
            crops.append(ProblemError(NO_IMAGE, "the item has neither a picture nor an embedding", field="image"))
    return crops
