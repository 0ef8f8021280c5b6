"""A body in motion as solid parts: joints in space, and what is wrapped around them."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.walker.anthropometry import Body
from training.walker.motion import Angles, Gait
from training.walker.outfit import Outfit

FloatArray = NDArray[np.float64]
SIDES = ("left", "right")


@dataclass
class Figure:
    """Balls in space, and which two of them each part spans. x is ahead, y up, z to the walker's left, in metres.

    Attributes:
        centres: by name, (T, 3).
        radii: by name, (ahead, sideways).
        parts: pairs of names; a part is the convex hull of its two balls.
        legs: those that a skirt hangs around.
        hem: (T,) height of its hem; None without one.
    """

    centres: dict[str, FloatArray] = field(default_factory=dict)
    radii: dict[str, tuple[float, float]] = field(default_factory=dict)
    parts: list[tuple[str, str]] = field(default_factory=list)
    legs: list[tuple[str, str]] = field(default_factory=list)
    hem: FloatArray | None = None

    def ball(self, name: str, centre: FloatArray, ahead: float, sideways: float | None = None) -> None:
        """Add a ball; sideways it is as thick as ahead unless told otherwise."""
        self.centres[name] = centre
        self.radii[name] = (ahead, ahead if sideways is None else sideways)

    def chain(self, *names: str, legs: bool = False) -> None:
        """Join each ball with the next."""
        (self.legs if legs else self.parts).extend(itertools.pairwise(names))


def build_figure(body: Body, gait: Gait, angles: Angles, outfit: Outfit) -> Figure:
    """Wrap a walking skeleton in flesh and clothes.

    Thicknesses are shares of the stature, times the body's girth; they are our own choice (see `anthropometry`). The
    pelvis is as high as its lower foot lets it be.
    """
    figure = Figure()
    _add_legs(figure, body, gait, angles, outfit)
    sole = outfit.sole * body.stature
    lowest = min_over(figure, ("left heel", "right heel", "left toe", "right toe"))
    pelvis = np.stack([angles.travelled, sole - lowest, np.zeros_like(lowest)], axis=1)
    for name in figure.centres:
        figure.centres[name] = figure.centres[name] + pelvis
    _add_trunk(figure, body, gait, outfit, pelvis)
    _add_head(figure, body, gait, outfit)
    _add_arms(figure, body, gait, angles, outfit)
    _add_bag(figure, body, outfit)
    if outfit.hem < 1:
        _add_skirt(figure, body, outfit, pelvis)
    return figure


def min_over(figure: Figure, names: tuple[str, ...]) -> FloatArray:
    """(T,) the lowest point of some balls."""
    lowest: FloatArray = np.min([figure.centres[name][:, 1] - figure.radii[name][0] for name in names], axis=0)
    return lowest


def _add_legs(figure: Figure, body: Body, gait: Gait, angles: Angles, outfit: Outfit) -> None:
    thick, cloth = body.stature * body.girth, outfit.trousers * body.stature
    for side, name in enumerate(SIDES):
        thigh, knee, ankle = angles.thighs[side], angles.knees[side], angles.ankles[side]
        outward = 1 - 2 * side
        hip_z, foot_z = outward * body.half_hips, outward * gait.base / 2
        knee_z = 0.6 * hip_z + 0.4 * foot_z
        hip = _at(np.zeros_like(thigh), hip_z)
        knee_at = hip + _down(thigh, body.thigh, knee_z - hip_z)
        calf_at = knee_at + _down(thigh - knee, 0.3 * body.shank, 0.3 * (foot_z - knee_z)) - _at(thigh * 0, 0, 0.006)
        ankle_at = knee_at + _down(thigh - knee, body.shank, foot_z - knee_z)
        sole_angle = thigh - knee + ankle
        height = body.ankle_height - 0.012 * body.stature
        heel = ankle_at + _down(sole_angle, height) - _ahead(sole_angle, 0.20 * body.foot)
        ball = ankle_at + _down(sole_angle, height) + _ahead(sole_angle, 0.50 * body.foot)
        figure.ball(f"{name} hip", hip, 0.048 * thick + cloth, 0.046 * thick + cloth)
        figure.ball(f"{name} knee", knee_at, 0.030 * thick + cloth)
        figure.ball(f"{name} calf", calf_at, 0.031 * thick + cloth)
        figure.ball(f"{name} ankle", ankle_at, 0.022 * thick + cloth + outfit.flared * body.stature)
        figure.ball(f"{name} heel", heel, 0.016 * body.stature)
        figure.ball(f"{name} ball", ball, 0.015 * body.stature, 0.024 * body.stature)
        # The toes stay flat on the ground while the heel rises.
        flat = np.maximum(sole_angle, np.radians(-12))
        figure.ball(f"{name} toe", ball + _ahead(flat, 0.24 * body.foot), 0.012 * body.stature)
        figure.chain(*(f"{name} {part}" for part in ("hip", "knee", "calf", "ankle", "heel")), legs=True)
        figure.chain(*(f"{name} {part}" for part in ("heel", "ball", "toe")), legs=True)
        figure.chain(f"{name} ankle", f"{name} ball", legs=True)


def _add_trunk(figure: Figure, body: Body, gait: Gait, outfit: Outfit, pelvis: FloatArray) -> None:
    thick, cloth = body.stature * body.girth, outfit.top * body.stature
    lean, bow = np.radians(gait.lean), np.radians(gait.lean + gait.bow)
    still = np.zeros(len(pelvis))
    waist = pelvis + _up(still + lean, 0.42 * body.trunk)
    shoulders = waist + _up(still + bow, 0.58 * body.trunk)
    chest = waist + _up(still + bow, 0.34 * body.trunk)
    # Who bows has a rounder back.
    back = chest - _at(still, 0, 0.012 * body.stature * max(0.0, gait.bow) / 10)
    belly_size = body.girth**2 - 0.9
    belly = pelvis + _up(still + lean, 0.30 * body.trunk) + _at(still, 0, 0.028 * body.stature * belly_size)
    bottom = pelvis + _at(still, 0, -0.012 * body.stature, 0.01 * body.stature)
    figure.ball("pelvis", bottom, 0.061 * thick + cloth, 0.090 * thick + cloth)
    figure.ball("belly", belly, 0.060 * thick + cloth, 0.075 * thick + cloth)
    figure.ball("waist", waist, 0.062 * thick + cloth, 0.080 * thick + cloth)
    figure.ball("chest", chest, 0.065 * thick + cloth, 0.092 * thick + cloth)
    figure.ball("back", back, 0.062 * thick + cloth, 0.08 * thick + cloth)
    figure.ball("neck base", shoulders - _up(still + bow, 0.01 * body.stature), 0.038 * thick + cloth, 0.042 * thick)
    figure.ball("shoulders", shoulders, 0.028 * thick + cloth, 0.034 * thick)
    figure.chain("pelvis", "belly", "waist", "chest", "neck base")
    figure.chain("pelvis", "waist", "back", "neck base")
    if body.female and body.maturity:
        bust = chest + _at(still, 0, (0.035 + 0.02 * belly_size) * thick * body.maturity, -0.01 * body.stature)
        figure.ball("bust", bust, 0.042 * thick + cloth, 0.08 * thick)
        figure.chain("waist", "bust", "neck base")


def _add_head(figure: Figure, body: Body, gait: Gait, outfit: Outfit) -> None:
    still = np.zeros(len(figure.centres["shoulders"]))
    size = body.head
    neck_top = figure.centres["shoulders"] + _up(still + np.radians(gait.stoop), body.neck + 0.30 * size)
    nod = np.radians(0.35 * gait.stoop - 6)
    skull = neck_top + _up(still + nod, 0.28 * size) + _at(still, 0, 0.06 * size)
    jaw = neck_top + _at(still, 0, 0.16 * size, -0.04 * size)
    nose = neck_top + _at(still, 0, 0.46 * size, 0.12 * size)
    figure.ball("neck top", neck_top, 0.031 * body.stature * body.girth**0.5)
    figure.ball(
        "skull", skull, 0.42 * size + outfit.volume * body.stature, 0.34 * size + 0.5 * outfit.volume * body.stature
    )
    figure.ball("jaw", jaw, 0.26 * size, 0.24 * size)
    figure.ball("nose", nose, 0.07 * size)
    figure.chain("neck base", "neck top", "jaw", "skull", "nose")
    if outfit.hair != "short":
        length = (0.75 if outfit.hair == "long" else 0.1) * size
        tail = skull + _at(still, 0, -0.36 * size, -length)
        figure.ball("hair", tail, 0.17 * size, 0.3 * size)
        figure.chain("skull", "hair")
    if outfit.hat:
        brim = skull + _at(still, 0, 0.42 * size, 0.12 * size)
        figure.ball("hat", skull + _at(still, 0, 0.0, 0.10 * size), 0.43 * size)
        figure.ball("brim", brim + _at(still, 0, outfit.hat * body.stature), 0.05 * size, 0.2 * size)
        figure.chain("hat", "brim")


def _add_arms(figure: Figure, body: Body, gait: Gait, angles: Angles, outfit: Outfit) -> None:
    thick, cloth = body.stature * body.girth, outfit.top * body.stature
    for side, name in enumerate(SIDES):
        upper, elbow = angles.shoulders[side], angles.elbows[side]
        if outfit.still_arms[side]:
            upper, elbow = 0.15 * upper + np.radians(-6), 0 * elbow + np.radians(30)
        outward = (1 - 2 * side) * body.half_shoulders
        shoulder = figure.centres["shoulders"] + _at(np.zeros_like(upper), outward, 0, -0.036 * body.stature)
        elbow_at = shoulder + _down(upper, body.upper_arm, 0.30 * outward)
        wrist = elbow_at + _down(upper + elbow, body.forearm, -0.08 * outward)
        figure.ball(f"{name} shoulder", shoulder, 0.030 * thick + cloth)
        figure.ball(f"{name} elbow", elbow_at, 0.023 * thick + 0.8 * cloth)
        figure.ball(f"{name} wrist", wrist, 0.016 * thick + 0.5 * cloth)
        figure.ball(f"{name} hand", wrist + _down(upper + 1.2 * elbow, 0.62 * body.hand), 0.015 * body.stature)
        figure.chain(*(f"{name} {part}" for part in ("shoulder", "elbow", "wrist", "hand")))
        figure.chain("shoulders", f"{name} shoulder")


def _add_bag(figure: Figure, body: Body, outfit: Outfit) -> None:
    size, side = outfit.bag_size * body.stature, SIDES[outfit.bag_side]
    still = np.zeros(len(figure.centres["chest"]))
    if outfit.bag == "backpack":
        top = figure.centres["chest"] - _at(still, 0, 0.066 * body.stature * body.girth + 0.6 * size)
        figure.ball("bag top", top, size, 0.09 * body.stature)
        figure.ball("bag end", top - _at(still, 0, 0, 1.8 * size), 1.1 * size, 0.09 * body.stature)
    elif outfit.bag == "shoulder bag":
        top = figure.centres["pelvis"] + _at(still, figure.centres[f"{side} shoulder"][0, 2], 0, 0.02 * body.stature)
        figure.ball("bag top", top - _at(still, 0, 1.2 * size), 0.8 * size, 0.3 * size)
        figure.ball("bag end", top + _at(still, 0, 0.8 * size), 0.8 * size, 0.3 * size)
    elif outfit.bag == "hand bag":
        top = figure.centres[f"{side} hand"] - _at(still, 0, 0, 1.3 * size)
        figure.ball("bag top", top - _at(still, 0, 0.8 * size), 0.7 * size, 0.3 * size)
        figure.ball("bag end", top + _at(still, 0, 0.8 * size), 0.7 * size, 0.3 * size)
    if outfit.bag != "none":
        figure.chain("bag top", "bag end")


def _add_skirt(figure: Figure, body: Body, outfit: Outfit, pelvis: FloatArray) -> None:
    still = np.zeros(len(pelvis))
    radius = outfit.flare * body.stature
    figure.hem = pelvis[:, 1] * outfit.hem
    figure.ball("hem", pelvis + np.stack([still, figure.hem + 0.7 * radius - pelvis[:, 1], still], axis=1), radius)
    figure.chain("pelvis", "hem")


def _at(x: FloatArray, z: float, ahead: float = 0.0, up: float = 0.0) -> FloatArray:
    return _points(x + ahead, up, z)


def _down(angle: FloatArray, length: float, sideways: float = 0.0) -> FloatArray:
    return _points(length * np.sin(angle), -length * np.cos(angle), sideways)


def _up(angle: FloatArray, length: float) -> FloatArray:
    return _points(length * np.sin(angle), length * np.cos(angle), 0.0)


def _ahead(angle: FloatArray, length: float) -> FloatArray:
    return _points(length * np.cos(angle), length * np.sin(angle), 0.0)


def _points(x: FloatArray, y: FloatArray | float, z: float) -> FloatArray:
    points = np.empty((len(x), 3))
    points[:, 0], points[:, 1], points[:, 2] = x, y, z
    return points
