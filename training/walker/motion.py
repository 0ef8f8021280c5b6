"""How a person of an age walks: pace, posture, and the joint angles of every frame.

"Checked" are the numbers that were compared with their source, or its abstract, while this was written; the others are
as they are commonly quoted, and count as approximations of ours until somebody has compared them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.walker.anthropometry import Body, between, varied

FloatArray = NDArray[np.float64]

# Comfortable speed in m/s. Two years: Sutherland et al. (1980), not checked. 3 to 14 years, as groups of 3-4, 6-7 and
# 11-14: Hausdorff et al. (1999), checked. 20 to 79, by decade: Bohannon (1997), of which the extremes, 1.27 and 1.46,
# are checked. 80 to 99: Bohannon and Andrews (2011), of which the women's is checked.
_SPEED_AGES = (2, 3.5, 6.5, 12.5, 25, 35, 45, 55, 65, 75, 85)
_SPEED_MEN = (0.72, 1.00, 1.20, 1.28, 1.39, 1.46, 1.46, 1.39, 1.36, 1.33, 0.97)
_SPEED_WOMEN = (0.72, 1.00, 1.20, 1.28, 1.41, 1.42, 1.39, 1.40, 1.30, 1.27, 0.94)
_SPEED_SPREAD = 0.13
# Steps a minute at that speed. Children as above, from stride times of 900, 955 and 1072 ms (checked); adults 111
# (men) and 117 (women): Perry, "Gait Analysis" (1992), not checked; Murray et al. (1964, 1970) have 117 for both. That
# the old slow down by their steps' length and hardly by their number is what Oberg et al. (1993) found (checked).
_CADENCE_AGES = (2, 3.5, 6.5, 12.5, 20)
_CADENCE_MEN, _CADENCE_WOMEN = (156, 133, 126, 112, 111), (156, 133, 126, 114, 117)
# Variation of stride time, as a share. That it falls from 3-4 over 6-7 to 11-14 years is checked (Hausdorff et al.
# 1999); how far, and the rise in old age, are our own choice.
_STRIDE_AGES, _STRIDE_SPREAD = (2, 3.5, 6.5, 12.5, 20, 60, 90), (0.075, 0.06, 0.033, 0.021, 0.013, 0.016, 0.035)
# Thoracic kyphosis in degrees by decade of life: after Fon, Pitt and Thies (1980), not checked; Bartynski et al.
# (2005) have 27 for adults up to 35 and 42 for those over 65 (checked), which it fits.
_KYPHOSIS_AGES = (5, 15, 25, 35, 45, 55, 65, 75)
_KYPHOSIS_MEN, _KYPHOSIS_WOMEN = (21, 25, 26, 29, 30, 33, 35, 41), (24, 26, 27, 28, 33, 41, 45, 42)
_KYPHOSIS_SPREAD = 8.0
# Arms swing through about 32 degrees, 24 of them back: Perry, after Murray, Sepic and Barnard (1967), checked. That
# the old swing them less was measured by Mirelman et al. (2015, checked), that most children swing them from eighteen
# months by Sutherland et al. (1980, checked); how much less is our own choice.
_SWING_AGES, _SWING = (2, 4, 8, 20, 40, 60, 75, 90), (0.45, 0.8, 1.0, 1.0, 0.95, 0.85, 0.7, 0.5)
# Our own choice: how far trunk, hips and knees stay bent, in degrees.
_LEAN_AGES, _LEAN = (2, 6, 20, 55, 75, 90), (4.0, 2.5, 2.0, 2.5, 4.5, 7.5)
_BENT_AGES, _BENT = (2, 4, 20, 60, 75, 90), (8.0, 2.0, 0.0, 1.0, 4.0, 9.0)

# Sagittal angles in degrees over one stride from heel strike: thigh against the vertical, knee flexion, ankle
# dorsiflexion. Drawn after the usual normal curves (Winter 1991; Perry 1992); not checked.
_PHASE = np.array([0, 8, 15, 22, 30, 40, 48, 55, 60, 65, 70, 75, 80, 88, 94]) / 100
_THIGH = np.array([25, 22, 17, 11, 3, -8, -15, -18, -14, -6, 4, 13, 20, 27, 27], float)
_KNEE = np.array([4, 14, 18, 15, 10, 5, 8, 24, 38, 52, 60, 58, 48, 22, 4], float)
_ANKLE = np.array([0, -6, 1, 5, 8, 10, 9, -3, -14, -16, -9, -3, 0, 1, 0], float)


@dataclass(frozen=True)
class Gait:
    """How one person walks.

    Attributes:
        speed: in m/s.
        stride_seconds: of two steps.
        stride_spread: standard deviation of a stride's time and reach, as a share.
        lean, bow, stoop: degrees that the lower trunk, the upper trunk and the neck stand forward.
        bent: degrees that hips and knees stay bent.
        swing: factor on the usual arm swing, left and right.
        elbow: degrees that the elbows are bent on average, left and right.
        base: metres between the feet, sideways.
    """

    speed: float
    stride_seconds: float
    stride_spread: float
    lean: float
    bow: float
    stoop: float
    bent: float
    swing: tuple[float, float]
    elbow: tuple[float, float]
    base: float


@dataclass(frozen=True)
class Angles:
    """Angles in radians, forward positive, and what else changes from frame to frame.

    Attributes:
        thighs, knees, ankles, shoulders, elbows: (2, T), left and right; thighs and upper arms against the vertical.
        travelled: (T,) metres walked, 0 in the middle of the sequence.
    """

    thighs: FloatArray
    knees: FloatArray
    ankles: FloatArray
    shoulders: FloatArray
    elbows: FloatArray
    travelled: FloatArray


def draw_gait(age: float, body: Body, rng: np.random.Generator) -> Gait:
    """Draw how a person of an age walks.

    Those who walk faster than usual take longer steps and more of them, both by the root of the speed: the walk ratio,
    step length over cadence, hardly changes (Sekiya and Nagasaki 1998, checked).
    """
    hurry = varied(rng, _SPEED_SPREAD)
    speed = between(age, _SPEED_AGES, _SPEED_WOMEN if body.female else _SPEED_MEN) * hurry
    cadence = between(age, _CADENCE_AGES, _CADENCE_WOMEN if body.female else _CADENCE_MEN) * hurry**0.5
    curve = between(age, _KYPHOSIS_AGES, _KYPHOSIS_WOMEN if body.female else _KYPHOSIS_MEN)
    bow = curve + _KYPHOSIS_SPREAD * rng.normal() - 27
    swing = between(age, _SWING_AGES, _SWING) * hurry * float(np.exp(0.3 * rng.normal()))
    elbow = between(age, (2, 5, 20), (45, 25, 18)) + 7 * rng.normal()
    return Gait(
        speed=speed,
        stride_seconds=120 / cadence / varied(rng, 0.04),
        stride_spread=between(age, _STRIDE_AGES, _STRIDE_SPREAD) * float(np.exp(0.3 * rng.normal())),
        lean=between(age, _LEAN_AGES, _LEAN) + 0.15 * bow + 2 * rng.normal(),
        bow=0.4 * bow,
        stoop=12 + 0.6 * bow + 6 * rng.normal(),
        bent=max(0.0, between(age, _BENT_AGES, _BENT) + 2 * rng.normal()),
        swing=(swing * varied(rng, 0.15), swing * varied(rng, 0.15)),
        elbow=(max(3.0, elbow + 4 * rng.normal()), max(3.0, elbow + 4 * rng.normal())),
        base=body.stature * between(age, (2, 4, 20, 65, 90), (0.11, 0.07, 0.05, 0.055, 0.075)),
    )


def joint_angles(gait: Gait, body: Body, frames: int, frames_per_second: float, rng: np.random.Generator) -> Angles:
    """Draw a walk: the angles of `frames` frames, from a random place in the stride.

    The normal curves are stretched until the feet are as far apart as this person's steps are long; no two strides are
    quite alike.
    """
    seconds = np.arange(frames) / frames_per_second
    phase = rng.uniform() + _warped(seconds / gait.stride_seconds, gait.stride_spread, rng)
    reach = _reach(gait, body) * (1 + 2 * gait.stride_spread * _wandering(phase, rng))
    lift = 0.5 + 0.5 * reach
    phases = np.stack([phase, phase + 0.5])
    thighs, knees, ankles = _legs(phases, reach, lift, gait.bent)
    shoulders, elbows = _arms(phases, gait)
    return Angles(
        thighs=thighs,
        knees=knees,
        ankles=ankles,
        shoulders=shoulders,
        elbows=elbows,
        travelled=gait.speed * (seconds - seconds.mean()),
    )


def _reach(gait: Gait, body: Body) -> float:
    """Factor on the thigh's curve that gives the feet their distance; the pelvis, turning, adds some of it."""
    step = 0.95 * gait.speed * gait.stride_seconds / 2
    thighs, knees = np.radians(np.interp((0, 0.5), _PHASE, _THIGH)), np.radians(np.interp((0, 0.5), _PHASE, _KNEE))
    ahead = body.thigh * np.sin(thighs) + body.shank * np.sin(thighs - knees)
    return float(np.clip(step / (ahead[0] - ahead[1]), 0.3, 1.5))


def _legs(phases: FloatArray, reach: FloatArray, lift: FloatArray, bent: float) -> tuple[FloatArray, ...]:
    thighs = _curve(phases, _THIGH) * reach + 0.55 * bent
    knees = _curve(phases, _KNEE) * lift + bent
    return np.radians(thighs), np.radians(knees), np.radians(_curve(phases, _ANKLE) * lift + 0.45 * bent)


def _arms(phases: FloatArray, gait: Gait) -> tuple[FloatArray, FloatArray]:
    """An arm goes back while the leg of its side goes forward; the elbow bends most in front."""
    forward = -np.cos(2 * np.pi * phases)
    swing, elbow = np.array([gait.swing, gait.elbow])[..., None]
    return np.radians(-8 + 16 * swing * forward), np.radians(elbow + 0.6 * np.minimum(swing, 1.5) * elbow * forward)


def _curve(phase: FloatArray, degrees: FloatArray) -> FloatArray:
    return np.asarray(np.interp(phase % 1, _PHASE, degrees, period=1))


def _warped(strides: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
    """Time in strides, each of which takes a little more or less of it."""
    lengths = np.clip(1 + spread * rng.normal(size=int(strides[-1]) + 3), 0.6, 1.4)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    return np.asarray(np.interp(strides, ends, np.arange(len(ends), dtype=float)))


def _wandering(phase: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A number around 0 that changes with every step."""
    steps = np.arange(np.floor(phase[0] * 2), np.floor(phase[-1] * 2) + 3)
    return np.asarray(np.interp(phase * 2, steps, np.clip(rng.normal(size=len(steps)), -2, 2)))
