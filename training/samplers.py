"""Which images stand together in a batch."""

from collections.abc import Sequence

import numpy as np


def identity_batches(
    identities: Sequence[int], ids_per_batch: int, images_per_id: int, rng: np.random.Generator
) -> list[list[int]]:
    """Draw one epoch of P x K batches for hard-triplet training, as the RGA recipe does.

    Every identity comes once an epoch, in random order, with K images: without replacement where it has K, else with.
    Identities that do not fill a last batch are left for another epoch.

    Args:
        identities: identity of each image.
        ids_per_batch: P.
        images_per_id: K.
        rng: the only source of chance, so that a seed fixes the epoch.

    Returns:
        Batches of P * K image indices; images of one identity are adjacent.

    Raises:
        ValueError: there are fewer than P identities.
    """
    by_identity: dict[int, list[int]] = {}
    for index, identity in enumerate(identities):
        by_identity.setdefault(identity, []).append(index)
    if len(by_identity) < ids_per_batch:
        raise ValueError(f"{len(by_identity)} identities are too few for batches of {ids_per_batch}")
    order = rng.permutation(sorted(by_identity))
    batches = []
    for start in range(0, len(order) - ids_per_batch + 1, ids_per_batch):
        batch: list[int] = []
        for identity in order[start : start + ids_per_batch]:
            images = by_identity[int(identity)]
            batch += rng.choice(images, images_per_id, replace=len(images) < images_per_id).tolist()
        batches.append(batch)
    return batches
