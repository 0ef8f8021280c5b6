import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.soak import slope

MINUTES = np.linspace(15, 30, 900)


def noise(seed: int) -> NDArray[np.float64]:
    """What memory does without a leak: neighbouring samples are alike, and an index is compacted now and then."""
    rng = np.random.default_rng(seed)
    wandering = np.convolve(rng.standard_normal(1200), np.ones(30) / 30, "valid")[:900]
    return 550 + wandering + 2 * (np.arange(900) % 200 / 200)


@pytest.mark.parametrize("leak", [30.0, 60.0, 200.0])
def test_a_leak_is_found(leak: float) -> None:
    for seed in range(20):
        found = slope(MINUTES, noise(seed) + leak * MINUTES / 60)

        assert not found.is_zero
        assert found.low <= found.steepness <= found.high
        assert found.steepness == pytest.approx(leak, abs=15)


def test_noise_is_no_leak() -> None:
    assert all(slope(MINUTES, noise(seed)).is_zero for seed in range(200))


def test_a_step_near_the_end_is_no_leak() -> None:
    assert slope(MINUTES, noise(0) + 8 * (MINUTES > 28)).is_zero
