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


def anchor_batches(
    identities: Sequence[int], anchors_per_batch: int, images_per_anchor: int, rng: np.random.Generator
) -> list[list[int]]:
    """Draw one epoch of batches around anchors, as the RRID recipe does.

    Every image is an anchor once, in random order, and brings other images of its identity; it is not among them unless
    there are too few. Anchors that do not fill a last batch are left for another epoch.

    Args:
        identities: identity of each image.
        anchors_per_batch: 16 in the recipe.
        images_per_anchor: 4 in the recipe, so an epoch is four times the data.
        rng: the only source of chance.

    Returns:
        Batches of image indices; images of one anchor are adjacent.

    Raises:
        ValueError: there are fewer images than anchors in a batch.
    """
    if len(identities) < anchors_per_batch:
        raise ValueError(f"{len(identities)} images are too few for batches of {anchors_per_batch} anchors")
    labels = np.asarray(identities)
    groups = []
    for anchor in rng.permutation(len(labels)):
        own = np.flatnonzero(labels == labels[anchor])
        others = own[own != anchor]
        pool = others if len(others) >= images_per_anchor else own
        groups.append(rng.choice(pool, images_per_anchor, replace=len(pool) < images_per_anchor))
    full = len(groups) - len(groups) % anchors_per_batch
    batches = np.stack(groups[:full]).reshape(-1, anchors_per_batch * images_per_anchor)
    return [batch.tolist() for batch in batches]
