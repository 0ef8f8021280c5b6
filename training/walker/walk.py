"""One labelled walk from a seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.walker.anthropometry import FIRST_AGE, LAST_AGE, draw_body
from training.walker.figure import build_figure
from training.walker.motion import draw_gait, joint_angles
from training.walker.noise import draw_faults, spoil
from training.walker.outfit import draw_outfit
from training.walker.rendering import draw_camera, silhouettes_of

CANVAS = (96, 72)
FRAMES_PER_SECOND = 25.0


@dataclass(frozen=True)
class Walk:
    """Silhouettes of one walker, and who it is.

    Attributes:
        silhouettes: (T, H, W) bool.
        age: whole years.
        female: whether a woman or girl.
        view_degrees: 90 is from the side.
        cycles: strides that the sequence spans, frames that are missing included.
    """

    silhouettes: NDArray[np.bool_]
    age: int
    female: bool
    view_degrees: float
    cycles: float


def render_walk(
    seed: int,
    number: int = 0,
    age: int | None = None,
    female: bool | None = None,
    noisy: bool = True,
    size: tuple[int, int] = CANVAS,
) -> Walk:
    """Draw a person and render a few strides of walking.

    The same arguments give the same walk. Every part of a walker has its own stream of chance, so that a walk rendered
    without noise, or at another size, is the same walk.

    Args:
        seed: of a set of walks; sets of different seeds have nothing in common.
        number: of the walk in its set.
        age: whole years; None draws one evenly from 2 to 90.
        female: None draws it.
        noisy: whether silhouettes have the faults of background subtraction.
        size: (height, width) of the canvas.

    Raises:
        ValueError: the age is beyond what the tables know.
    """
    person, motion, dress, lens, faults = (np.random.default_rng((seed, number, part)) for part in range(5))
    drawn_age, drawn_female = int(person.integers(FIRST_AGE, LAST_AGE + 1)), bool(person.uniform() < 0.5)
    age, female = drawn_age if age is None else age, drawn_female if female is None else female
    if not FIRST_AGE <= age <= LAST_AGE:
        raise ValueError(f"walkers are {FIRST_AGE} to {LAST_AGE} years old, not {age}")
    exact = age + float(person.uniform())
    body = draw_body(exact, female, person)
    gait = draw_gait(exact, body, motion)
    cycles = float(motion.uniform(1.6, 3.2))
    frames = max(8, round(cycles * gait.stride_seconds * FRAMES_PER_SECOND))
    angles = joint_angles(gait, body, frames, FRAMES_PER_SECOND, motion)
    figure = build_figure(body, gait, angles, draw_outfit(exact, body, dress))
    camera = draw_camera(body.stature, size[0], lens)
    silhouettes = silhouettes_of(figure, camera, body.stature, size)
    if lens.uniform() < 0.5:
        silhouettes = silhouettes[..., ::-1]
    if noisy:
        silhouettes = spoil(silhouettes, draw_faults(faults), faults)
    return Walk(silhouettes, age, female, camera.view_degrees, cycles)
