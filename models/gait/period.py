"""The gait period: legs open and close once a step, so the width of the lower body swings twice a gait cycle."""

import numpy as np
from numpy.typing import NDArray

from models.gait.silhouettes import Integers, Silhouettes

LEGS_FROM = 0.75
# Steps take 0.35 s or longer; at 12 frames per second that is about four frames.
MIN_STEP_FRAMES = 4
MIN_CORRELATION = 0.25
# Of several peaks the first one that is about as high as the highest; the others are its multiples.
LIKELY_SHARE = 0.7
HALF = (0.4, 0.6)
MIN_PROMINENCE = 0.05
# Of a cycle: frames this close show the same pose, as far as the period is known.
SAME_PHASE = 0.07
MANY_CYCLES = 3


def lower_body_width(aligned: Silhouettes) -> NDArray[np.float32]:
    """(N,) distance between the outer edges of the legs, mean over their rows, as a share of the body's height."""
    legs = aligned[:, round(aligned.shape[1] * LEGS_FROM) :]
    reach = legs.shape[2] - legs.argmax(axis=2) - legs[:, :, ::-1].argmax(axis=2)
    return np.asarray((reach * legs.any(axis=2)).mean(axis=1) / aligned.shape[1], np.float32)


def gait_period(widths: NDArray[np.float32], indices: Integers) -> float | None:
    """Frames of one gait cycle (two steps), by autocorrelation.

    Args:
        widths: (N,) from `lower_body_width`.
        indices: (N,) rising, of their frames; widths of frames between are interpolated.

    Returns:
        None if nothing repeats, or fewer than two steps were seen.
    """
    if len(widths) < 2 * MIN_STEP_FRAMES:
        return None
    correlation = _autocorrelation(np.interp(np.arange(indices[0], indices[-1] + 1), indices, widths))
    lags = np.arange(MIN_STEP_FRAMES, len(correlation) - 1)
    middle, before, after = correlation[lags], correlation[lags - 1], correlation[lags + 1]
    peaks = lags[(middle > before) & (middle >= after) & (middle >= MIN_CORRELATION)]
    if not len(peaks):
        return None
    likely = peaks[correlation[peaks] >= LIKELY_SHARE * correlation[peaks].max()]
    lag = int(likely[0])
    refined = lag + _vertex(*correlation[lag - 1 : lag + 2])
    return refined if _has_peak_at_half(correlation, lag) else 2 * refined


def _has_peak_at_half(correlation: NDArray[np.float64], lag: int) -> bool:
    """Whether a lag is that of two steps: however unlike left and right look, one step leaves a peak half-way."""
    start, end = lag // 4, lag - lag // 4
    low, high = round(HALF[0] * lag), round(HALF[1] * lag)
    top = low + int(correlation[low : high + 1].argmax())
    valleys = max(correlation[start : top + 1].min(), correlation[top : end + 1].min())
    return bool(correlation[top] - valleys >= MIN_PROMINENCE)


def cycle_weights(indices: Integers, period: float | None) -> tuple[float, NDArray[np.float32]]:
    """How many gait cycles the frames span, and the weight of each in a mean over the cycle.

    Walks are seldom whole numbers of cycles, and frames are missing. So every part of the cycle gets the same weight in
    all, however many frames show it. With less than one cycle nothing can be evened out; with `MANY_CYCLES` the rest
    weighs so little that evening it out costs more than it saves, so there too all frames weigh the same.

    Args:
        indices: (N,) rising, of the frames.
        period: frames of one cycle.

    Returns:
        The cycles, and (N,) weights that add up to 1.
    """
    time = (indices - indices[0]).astype(np.float64)
    cycles = (time[-1] + 1) / period if period else 0.0
    if not period or not 1 <= cycles < MANY_CYCLES:
        return float(cycles), np.full(len(time), 1 / len(time), np.float32)
    apart = np.abs(time[:, None] - time) / period % 1
    apart = np.minimum(apart, 1 - apart)
    alike = np.exp(-np.square(apart / SAME_PHASE)).sum(axis=1)
    weights = 1 / alike
    return float(cycles), np.asarray(weights / weights.sum(), np.float32)


def _autocorrelation(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of lags up to half the signal, after its slow change is taken off; 1 at lag 0."""
    powers = np.vander(np.linspace(-1, 1, len(signal)), 3)
    swing = signal - powers @ np.linalg.lstsq(powers, signal, rcond=None)[0]
    spectrum = np.fft.rfft(swing, 2 * len(swing))
    sums = np.fft.irfft(np.abs(spectrum) ** 2)[: len(swing) // 2 + 1]
    means = sums / (len(swing) - np.arange(len(sums)))
    return np.asarray(means / max(means[0], np.finfo(float).tiny))


def _vertex(before: float, peak: float, after: float) -> float:
    """Where the parabola through three neighbouring values has its top, from the middle one."""
    bend = before - 2 * peak + after
    return float((before - after) / (2 * bend)) if bend < 0 else 0.0
