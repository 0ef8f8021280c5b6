"""Many enrolments in one request: each item on its own, those of one person together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.engine.refusals import OverloadedError
from app.errors import NO_IMAGE, OVERLOADED, ProblemError
from app.gallery.domain import EnrolledShot, Enrolment, NewShot
from app.gallery.errors import GalleryError
from app.gallery.idempotency import Once
from app.pipelines.gate import QualityGate
from app.pipelines.problems import gallery_problem
from app.pipelines.reid import Crop, Embedding, ReidPipeline

EMBEDDED_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class BulkItem:
    """One shot to enrol.

    Attributes:
        picture: encoded; or else
        embedding: (D,) of unit length.
        label: of the identity; None leaves it as it is.
        camera, taken_at, metadata, quality: of the shot; no quality is that of the picture.
        once: how the item is known again if it is sent again; None if it need not be.
    """

    identity_id: str
    picture: bytes | None
    embedding: Embedding | None
    label: str | None
    camera: str | None
    taken_at: float | None
    metadata: dict[str, Any]
    quality: float | None
    once: Once | None

    def shot(self, crop: Crop) -> NewShot:
        """What is enrolled, once it is embedded."""
        quality = crop.quality if self.quality is None else self.quality
        return NewShot(crop.embedding, crop.sha256, self.camera, self.taken_at, self.metadata, quality)


@dataclass(frozen=True)
class Stored:
    """A shot that is in the gallery, and what was noted of its crop."""

    shot: EnrolledShot
    note: dict[str, Any]


Outcome = Stored | ProblemError


def note_of(crop: Crop) -> dict[str, Any]:
    """What is answered of a crop besides its shot: how much of a person it shows, if the gallery asks."""
    seen = crop.visibility
    return {} if seen is None else {"quality": {"score": seen.score, "reasons": list(seen.reasons)}}


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
    outcomes = [await _known(gate.reid, gallery, item) for item in items]
    new = [(at, item) for at, item in enumerate(items) if outcomes[at] is None and isinstance(item, BulkItem)]
    crops = await _embedded(gate, [item for _, item in new])
    # An item with a key of its own is an enrolment of its own.
    together: dict[tuple[str, int | None], list[tuple[int, BulkItem, Crop]]] = defaultdict(list)
    for (at, item), crop in zip(new, crops, strict=True):
        if isinstance(crop, ProblemError):
            outcomes[at] = crop
        else:
            together[item.identity_id, at if item.once else None].append((at, item, crop))
    for chosen in together.values():
        found = await _enrol_one_person(gate.reid, gallery, [(item, crop) for _, item, crop in chosen])
        for (at, _, _), outcome in zip(chosen, found, strict=True):
            outcomes[at] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


async def _known(reid: ReidPipeline, gallery: str, item: BulkItem | ProblemError) -> Outcome | None:
    """What is answered without looking at the item: that it cannot be read, or what it was answered before."""
    if isinstance(item, ProblemError):
        return item
    if item.once is None:
        return None
    try:
        given = await reid.in_store(reid.store.recall, gallery, item.identity_id, item.once)
    except GalleryError as error:
        return gallery_problem(error)
    return None if given is None else _stored(given)[0]


async def _enrol_one_person(
    reid: ReidPipeline, gallery: str, pairs: Sequence[tuple[BulkItem, Crop]]
) -> Sequence[Outcome]:
    first = pairs[0][0]
    label = next((item.label for item, _ in reversed(pairs) if item.label is not None), None)
    shots, notes = [item.shot(crop) for item, crop in pairs], [note_of(crop) for _, crop in pairs]
    try:
        enrolment = await reid.in_store(
            reid.store.enrol, gallery, first.identity_id, shots, reid.checkpoint.sha256, label, first.once, notes
        )
    except GalleryError as error:
        return [gallery_problem(error)] * len(pairs)
    return _stored(enrolment)


def _stored(enrolment: Enrolment) -> list[Stored]:
    return [Stored(shot, note) for shot, note in zip(enrolment.shots, enrolment.notes, strict=True)]


async def _embedded(gate: QualityGate, items: Sequence[BulkItem]) -> list[Crop | ProblemError]:
    pictures = [item.picture for item in items if item.picture is not None]
    try:
        found = iter((await gate.embed(pictures)).items if pictures else [])
    except OverloadedError as error:
        busy = ProblemError(OVERLOADED, "the service was busy; send this item again", limit=error.limit)
        found = iter([busy] * len(pictures))
    crops: list[Crop | ProblemError] = []
    for item in items:
        if item.picture is not None:
            crops.append(next(found))
        elif item.embedding is not None:
            crops.append(Crop(item.embedding, None))
        else:
            crops.append(ProblemError(NO_IMAGE, "the item has neither a picture nor an embedding", field="image"))
    return crops
