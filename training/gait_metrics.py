"""How age estimates are scored."""

import numpy as np
from numpy.typing import NDArray


def mean_absolute_error(estimated_years: NDArray[np.floating], true_years: NDArray[np.floating]) -> float:
    """MAE in years over (N,) subjects."""
    return float(_errors(estimated_years, true_years).mean())


def cumulative_score(
    estimated_years: NDArray[np.floating], true_years: NDArray[np.floating], years: float = 5.0
) -> float:
    """CS(k): share of (N,) subjects whose age is at most `years` off."""
    return float((_errors(estimated_years, true_years) <= years).mean())


def _errors(estimated: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.floating]:
    if len(estimated) != len(true) or not len(true):
        raise ValueError(f"{len(estimated)} estimates do not fit {len(true)} ages")
    return np.asarray(np.abs(np.subtract(estimated, true, dtype=np.float64)))
