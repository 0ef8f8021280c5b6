"""Manifest entries before a run's own facts are filled in."""

from collections.abc import Sequence

from models.checkpoint import Checkpoint, Preprocessing


def draft_checkpoint(
    task: str, name: str, licence: str, commercial_use: bool, trained_on: Sequence[str], notes: str
) -> Checkpoint:
    """What only a person knows of a checkpoint; its release fills in the rest."""
    return Checkpoint(
        name=name,
        task=task,
        network="",
        preprocessing=Preprocessing((0, 0)),
        file="",
        sha256="",
        origin="trained by this project",
        licence=licence,
        commercial_use=commercial_use,
        trained_on=tuple(trained_on),
        notes=notes,
    )
