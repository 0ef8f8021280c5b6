"""What the service says about itself."""

from typing import Any

from pydantic import BaseModel

from models.checkpoint import Checkpoint


class Model(BaseModel):
    """A served checkpoint."""

    name: str
    task: str
    network: str
    sha256: str
    licence: str
    commercial_use: bool
    trained_on: list[str]
    input_size: tuple[int, int]
    measured: dict[str, Any]
    threshold: dict[str, Any] | None
    notes: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Model":
        """Map a manifest entry."""
        return cls(
            name=checkpoint.name,
            task=checkpoint.task,
            network=checkpoint.network,
            sha256=checkpoint.sha256,
            licence=checkpoint.licence,
            commercial_use=checkpoint.commercial_use,
            trained_on=list(checkpoint.trained_on),
            input_size=checkpoint.preprocessing.size,
            measured=checkpoint.measured,
            threshold=vars(checkpoint.threshold) if checkpoint.threshold else None,
            notes=checkpoint.notes,
        )


class Models(BaseModel):
    """Answer of /models."""

    device: str
    models: list[Model]
