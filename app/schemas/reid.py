"""Answers of /reid, and how they are made from domain objects."""

from typing import Literal

from pydantic import BaseModel, Field

from app.pipelines.reid import Answer
from app.schemas.common import ItemStatus, TimingsMs
from models.checkpoint import Checkpoint


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
    probability: float | None = Field(description="That it is the same person; null until the gallery is calibrated.")
    shots: int
    best_shot: BestShot


class QueryAnswer(BaseModel):
    """Answer of /reid/query."""

    model: str
    decision: Literal["match", "unknown"]
    threshold: float | None = Field(description="Similarity from which the decision is a match; not per gallery yet.")
    identities: list[RankedIdentity]
    shots: list[ItemStatus]
    gallery: str
    gallery_version: int
    timings_ms: TimingsMs

    @classmethod
    def of(cls, checkpoint: Checkpoint, gallery: str, answer: Answer, shots: list[ItemStatus]) -> "QueryAnswer":
        """Map a ranking to the answer."""
        identities = [
            RankedIdentity(
                rank=found.rank,
                identity_id=found.identity_id,
                label=found.label,
                similarity=found.similarity,
                probability=None,
                shots=found.shots,
                best_shot=BestShot(**vars(found.best_shot)),
            )
            for found in answer.ranking.identities
        ]
        return cls(
            model=checkpoint.name,
            decision=answer.decision,
            threshold=checkpoint.threshold.similarity if checkpoint.threshold else None,
            identities=identities,
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
    threshold: float | None
    shots_a: list[ItemStatus]
    shots_b: list[ItemStatus]
