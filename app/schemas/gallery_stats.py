"""Body of a gallery's statistics."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.gallery import stats


class IndexStats(BaseModel):
    """How a gallery is searched."""

    kind: Literal["exact", "ivf"] = Field(
        description="exact: every shot is looked at; ivf: those of the likeliest lists. It follows the gallery's size."
    )
    codes: Literal["float32", "float16", "int8"] = Field(
        description="How the numbers are held that are looked through."
    )
    lists: int | None
    lists_searched: int | None = Field(description="At how many lists a search looks at least.")
    recall_at_10: float | None = Field(
        description="Share of the ten most similar shots that a search finds, measured on the gallery's own when the"
        " lists were learned."
    )
    trained_at: float | None = Field(description="When that was, in seconds since 1970.")
    trained_on: int | None = Field(description="Shots that there were then.")
    vector_bytes: int = Field(description="Memory of the embeddings.")
    index_bytes: int = Field(description="Memory of everything else of the index.")
    building: bool = Field(description="A better index is made in the background; this one answers until it is ready.")


class GalleryStats(BaseModel):
    """How large a gallery is, and how it is searched."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "gallery": "default",
                    "shots": 1000000,
                    "identities": 62500,
                    "embedding_dim": 512,
                    "index": {
                        "kind": "ivf",
                        "codes": "float32",
                        "lists": 2000,
                        "lists_searched": 32,
                        "recall_at_10": 0.99,
                        "trained_at": 1795190000.0,
                        "trained_on": 1000000,
                        "vector_bytes": 2048000000,
                        "index_bytes": 24096000,
                        "building": False,
                    },
                    "gallery_version": 62500,
                }
            ]
        }
    )

    gallery: str
    shots: int
    identities: int
    embedding_dim: int
    index: IndexStats
    gallery_version: int

    @classmethod
    def of(cls, stats: stats.GalleryStats) -> "GalleryStats":
        """Map the domain object."""
        info = stats.gallery
        return cls(
            gallery=info.name,
            shots=info.shots,
            identities=info.identities,
            embedding_dim=info.embedding_dim,
            index=IndexStats(**vars(stats.index), building=stats.is_building),
            gallery_version=info.version,
        )
