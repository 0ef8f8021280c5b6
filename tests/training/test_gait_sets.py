"""Walks in memory: rendered ones, kept ones, and those of a data set."""

from pathlib import Path

import numpy as np
import pytest

from models.gait.gei import gait_energy_image
from tests.training.layouts import write_oulp_age
from training import gait_sets
from training.gait_sets import FEMALE, MALE, UNKNOWN, load_geis, render_geis
from training.walker import render_walk

SIZE = (64, 44)


def test_a_walker_is_seen_through_the_path_that_served_walks_take() -> None:
    walks, walk = render_geis(5, range(2, 4), SIZE), render_walk(5, 3)

    assert np.abs(walks.geis[1] / 255 - gait_energy_image(walk.silhouettes, SIZE).image).max() <= 0.5 / 255 + 1e-6
    assert (walks.ages[1], walks.genders[1]) == (walk.age, FEMALE if walk.female else MALE)


def test_a_larger_set_begins_with_a_smaller_one_and_other_seeds_are_other_people() -> None:
    few, many, others = (load_geis(f"synthetic:{spec}", "train", SIZE) for spec in ("5:3", "5:6", "6:3"))

    assert few.source == "synthetic:5:3, 3 walkers"
    assert np.array_equal(few.geis, many.geis[:3])
    assert not np.array_equal(few.geis, others.geis)


def test_rendered_walkers_are_kept_and_taken_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gait_sets, "BLOCK", 2)
    first = load_geis("synthetic:5:3", "train", SIZE, tmp_path)
    (kept,) = tmp_path.glob("*/5-0-2.npz")
    np.savez(kept, geis=first.geis[:2], ages=np.array([88, 89]), genders=first.genders[:2])

    again = load_geis("synthetic:5:3", "train", SIZE, tmp_path)

    assert np.array_equal(first.geis, again.geis)
    assert again.ages.tolist() == [88, 89, first.ages[2]]


def test_oulp_age_is_read_with_genders_at_the_size_of_the_network(tmp_path: Path) -> None:
    root = write_oulp_age(tmp_path, {"0007": 31, "0012": 8})
    (root / "Age_gender_info.csv").write_text("ID,Age,Gender\n7,31,F\n12,8,?\n")

    walks = load_geis(str(root), "test", SIZE)

    assert walks.geis.shape == (2, *SIZE)
    assert walks.ages.tolist() == [31, 8]
    assert walks.genders.tolist() == [FEMALE, UNKNOWN]


@pytest.mark.parametrize("data", ["synthetic", "synthetic:1", "synthetic:1:0", "synthetic:a:b"])
def test_walkers_without_seed_or_number_are_refused(data: str) -> None:
    with pytest.raises(ValueError, match="synthetic:SEED:COUNT"):
        load_geis(data, "train", SIZE)
