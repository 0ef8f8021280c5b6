import numpy as np
import torch

from models.transforms import Normalisation
from tests.app.pictures import pattern
from training.augment import COLOUR_ORDERS, ReidAugmentation, draw_colour_order

PLAIN = ReidAugmentation((64, 32), crop_probability=0, flip_probability=0, erase_probability=0)


def test_with_every_chance_off_a_crop_is_only_normalised() -> None:
    batch = PLAIN([pattern()], np.random.default_rng(0))

    assert torch.equal(batch[0], Normalisation()(torch.from_numpy(pattern()).permute(2, 0, 1)))


def test_the_mirrored_view_is_the_mirror_image() -> None:
    mirrored = ReidAugmentation((64, 32), crop_probability=0, flip_probability=1, erase_probability=0)

    assert torch.equal(
        mirrored([pattern()], np.random.default_rng(0)), PLAIN([pattern()], np.random.default_rng(0)).flip(3)
    )


def test_an_erased_rectangle_is_zero_after_normalisation_and_within_its_limits() -> None:
    erased = ReidAugmentation((64, 32), crop_probability=0, flip_probability=0, erase_probability=1)
    white = [np.full((64, 32, 3), 255, np.uint8)] * 50

    zeros = (erased(white, np.random.default_rng(0)) == 0).all(dim=1).float().mean(dim=(1, 2))

    assert zeros.min() > 0.01
    assert zeros.max() < 0.45


def test_crops_of_any_size_come_out_at_one_size_and_the_seed_fixes_them() -> None:
    augment = ReidAugmentation((64, 32), colour_jitter=0.3)
    crops = [pattern(200, 90), pattern(31, 17), pattern()]

    batch = augment(crops, np.random.default_rng(3))

    assert batch.shape == (3, 3, 64, 32)
    assert torch.equal(batch, augment(crops, np.random.default_rng(3)))


def test_colours_stay_as_they_are_unless_swaps_are_asked_for_and_draw_no_chance() -> None:
    rng = np.random.default_rng(0)

    assert draw_colour_order(0, rng) == 0
    assert rng.random() == np.random.default_rng(0).random()
    assert COLOUR_ORDERS[0] == [0, 1, 2]


def test_swaps_come_as_often_as_asked_and_in_every_order() -> None:
    rng = np.random.default_rng(0)

    orders = np.bincount([draw_colour_order(0.5, rng) for _ in range(2000)], minlength=len(COLOUR_ORDERS))

    assert abs(orders[0] / 2000 - 0.5) < 0.05
    assert (orders[1:] > 120).all()
