from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.samplers import anchor_batches, identity_batches


@given(
    counts=st.lists(st.integers(1, 9), min_size=4, max_size=20),
    images_per_id=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_every_batch_holds_whole_groups_and_no_identity_comes_twice(
    counts: list[int], images_per_id: int, seed: int
) -> None:
    identities = [identity for identity, count in enumerate(counts) for _ in range(count)]

    batches = identity_batches(identities, 4, images_per_id, np.random.default_rng(seed))

    drawn = [identities[index] for batch in batches for index in batch]
    assert len(batches) == len(counts) // 4
    assert set(Counter(drawn).values()) <= {images_per_id}
    for batch in batches:
        assert len({identities[index] for index in batch}) == 4


def test_images_are_not_repeated_while_there_are_enough() -> None:
    (batch,) = identity_batches([0] * 4 + [1] * 2, 2, 4, np.random.default_rng(0))

    assert len({index for index in batch if index < 4}) == 4
    assert {index for index in batch if index >= 4} <= {4, 5}


def test_the_seed_fixes_the_epoch() -> None:
    identities = [index % 10 for index in range(60)]

    assert identity_batches(identities, 4, 3, np.random.default_rng(5)) == identity_batches(
        identities, 4, 3, np.random.default_rng(5)
    )


def test_too_few_identities_are_refused() -> None:
    with pytest.raises(ValueError, match="3 identities are too few"):
        identity_batches([0, 1, 2], 4, 2, np.random.default_rng(0))


def test_every_image_is_an_anchor_once_and_brings_others_of_its_identity() -> None:
    identities = [0] * 6 + [1] * 6 + [2] * 4

    batches = anchor_batches(identities, 4, 4, np.random.default_rng(0))

    assert [len(batch) for batch in batches] == [16] * 4
    groups = [batch[start : start + 4] for batch in batches for start in range(0, 16, 4)]
    assert all(len({identities[i] for i in group}) == 1 for group in groups)
    assert sorted(identities[group[0]] for group in groups) == sorted(identities)
    assert all(len(set(group)) == 4 for group in groups)


def test_an_identity_of_two_images_repeats_them() -> None:
    batches = anchor_batches([0, 0, 1, 1], 2, 4, np.random.default_rng(0))

    assert all(len(batch) == 8 for batch in batches)


def test_fewer_images_than_anchors_are_refused() -> None:
    with pytest.raises(ValueError, match="3 images are too few for batches of 16 anchors"):
        anchor_batches([0, 0, 1], 16, 4, np.random.default_rng(0))
