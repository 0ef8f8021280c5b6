"""Answers of /reid, and how they are made from domain objects."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.gallery.domain import ShotFilter
from app.pipelines.reid import Answer
from app.schemas.common import ItemStatus, Metadata, TimingsMs
from models.checkpoint import Checkpoint


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Cameras = Annotated[list[Annotated[str, Field(max_length=128)]], BeforeValidator(_as_list), Field(max_length=1000)]


class Filter(BaseModel):
    """Which of the gallery's shots are searched."""

    model_config = ConfigDict(extra="forbid", strict=True)

    camera: Cameras | None = Field(None, description="Only shots of this camera, or of one of these.")
    exclude_camera: Cameras | None = Field(None, description="No shots of this camera, or of any of these.")
    taken_from: float | None = Field(None, description="Taken at or after, in seconds since 1970.", allow_inf_nan=False)
    taken_before: float | None = Field(None, description="Taken before.", allow_inf_nan=False)
    metadata: Metadata = Field({}, description="Only shots whose metadata has these entries.")

    @model_validator(mode="after")
    def _time_runs_forward(self) -> "Filter":
        start, end = self.taken_from, self.taken_before
        if start is not None and end is not None and start >= end:
            raise ValueError(f"taken_from is {start:g} and taken_before {end:g}; the first has to be the earlier one")
        return self

    def of_shots(self) -> ShotFilter:
        """Map to the domain object."""
        return ShotFilter(
            frozenset(self.camera) if self.camera is not None else None,
            frozenset(self.exclude_camera or ()),
            self.taken_from,
            self.taken_before,
            self.metadata,
        )


class EmbeddingItem(ItemStatus):
    """One picture's embedding: a list of floats, or base64 of little-endian float32."""

    embedding: list[float] | str | None = None


class Embeddings(BaseModel):
    """Answer of /reid/embed."""

    model: str
    dim: int
    embeddings: list[EmbeddingItem]
    timings_ms: "TimingsMs"


class BestShot(BaseModel):
    """The enrolled crop that looks most like the query."""

    shot_id: str
    similarity: float
    camera: str | None


class RankedIdentity(BaseModel):
    """One identity of the gallery, by how well it fits the query."""

    rank: int
    identity_id: str
    label: str | None
    similarity: float = Field(description="Cosine similarity, -1 to 1, fused over the query's crops.")
    probability: float | None = Field(
        description="That this is the person, if as many queries are of enrolled people as of strangers. It is shared"
        " among the ten most similar identities (fifty with `rerank`), whatever `limit` is; whoever comes after them"
        " gets no more than somebody who does not look alike. Null without calibration."
    )
    shots: int = Field(description="How many of its shots were searched.")
    best_shot: BestShot
    reranked_distance: float | None = Field(None, description="What re-ranking ordered by, smaller first; 0 to 1.")


class Calibrated(BaseModel):
    """What probabilities and the decision rest on."""

    source: Literal["gallery", "checkpoint"]
    stale: bool = Field(description="Shots have come or gone since, over a fifth together; fit it again.")
    stale_since: float | None = Field(description="When that was noticed, in seconds since 1970; null if it is not so.")


class QueryAnswer(BaseModel):
    """Answer of /reid/query."""

    model: str
    decision: Literal["match", "unknown"]
    threshold: float | None = Field(
        description="Similarity from which the first identity is a match; it depends on the gallery's size and on the"
        " number of the identity's shots."
    )
    target_fpir: float | None = Field(
        description="The rate of strangers taken for somebody that the threshold is set for. Which rate comes out"
        " depends on how far people and cameras resemble those of the calibration; docs/accuracy.md has what came out"
        " on other people. Null without calibration."
    )
    unknown_probability: float | None = Field(
        description="What the ten most similar identities (fifty with `rerank`) leave: that the person is none of them,"
        " whatever `limit` is. Null without calibration."
    )
    calibration: Calibrated | None = Field(description="Null: the checkpoint's one threshold decides.")
    identities: list[RankedIdentity]
    shots: list[ItemStatus]
    gallery: str
    gallery_version: int
    timings_ms: TimingsMs

    @classmethod
    def of(cls, checkpoint: Checkpoint, gallery: str, answer: Answer, shots: list[ItemStatus]) -> "QueryAnswer":
        """Map a ranking to the answer."""
        decision, found = answer.decision, answer.ranking.identities
        probabilities: list[float] | list[None] = decision.probabilities or [None] * len(found)
        source, since = decision.basis.source, decision.basis.stale_since
        return cls(
            model=checkpoint.name,
            decision=decision.verdict,
            threshold=decision.threshold,
            target_fpir=decision.target_fpir,
            unknown_probability=decision.unknown_probability,
            calibration=Calibrated(source=source, stale=since is not None, stale_since=since) if source else None,
            identities=[
                RankedIdentity(**vars(one) | {"best_shot": BestShot(**vars(one.best_shot))}, probability=probability)
                for one, probability in zip(found, probabilities, strict=True)
            ],
            shots=shots,
            gallery=gallery,
            gallery_version=answer.ranking.gallery_version,
            timings_ms=TimingsMs.of(answer.timings),
        )


class Verification(BaseModel):
    """Answer of /reid/verify."""

    model: str
    similarity: float
    probability: float | None
    decision: Literal["match", "unknown"]
    threshold: float | None = Field(description="Similarity from which they are one person.")
    target_fmr: float | None = Field(
        description="The rate of two people taken for one that the threshold is set for; null without calibration."
    )
    shots_a: list[ItemStatus]
    shots_b: list[ItemStatus]
