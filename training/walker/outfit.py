"""What a walker wears and carries. How often, and how thick, is our own choice."""

from dataclasses import dataclass

import numpy as np

from training.walker.anthropometry import Body, between

BAGS = ("none", "backpack", "shoulder bag", "hand bag")
HAIR = ("short", "long", "bun")


@dataclass(frozen=True)
class Outfit:
    """Clothes and things carried; thicknesses are shares of the stature that add to a radius.

    Attributes:
        trousers: on thigh and shank.
        flared: what trousers are wider at the ankle.
        top: on trunk and upper arms.
        hem: height of the hem of a skirt or long coat, as a share of the leg; 1 is none.
        flare: half the width of that hem in the walking direction, as a share of the stature.
        sole: of the shoes.
        hair: "short", "long" or "bun".
        volume: of the hair.
        hat: rim of a cap or hat, 0 is none.
        bag: "none", "backpack", "shoulder bag" or "hand bag".
        bag_side: 0 left, 1 right.
        bag_size: radius, as a share of the stature.
        still_arms: for left and right, whether the arm does not swing: in a pocket, holding a strap or a phone.
    """

    trousers: float
    flared: float
    top: float
    hem: float
    flare: float
    sole: float
    hair: str
    volume: float
    hat: float
    bag: str
    bag_side: int
    bag_size: float
    still_arms: tuple[bool, bool]


def draw_outfit(age: float, body: Body, rng: np.random.Generator) -> Outfit:
    """Draw clothes, hair and bag for a person of an age."""
    coat = rng.uniform() < 0.15
    skirt = body.female and rng.uniform() < 0.2
    hem = 1.0
    if skirt:
        hem = float(rng.uniform(0.15, 0.65))
    elif coat:
        hem = float(rng.uniform(0.45, 0.8))
    bag = BAGS[rng.choice(4, p=(0.55, 0.15, 0.15, 0.15) if age >= 6 else (0.88, 0.08, 0.02, 0.02))]
    bag_side = int(rng.integers(2))
    still = rng.uniform(size=2) < (0.08, 0.08)
    if bag in ("shoulder bag", "hand bag"):
        still[bag_side] |= rng.uniform() < 0.7
    long_hair = between(age, (3, 8, 50, 75), (0.35, 0.6, 0.35, 0.1)) if body.female else 0.03
    hair = "short"
    if rng.uniform() < long_hair:
        hair = "long" if rng.uniform() < 0.7 else "bun"
    return Outfit(
        trousers=float(rng.uniform(0.002, 0.016)),
        flared=float(rng.uniform(0, 0.010)),
        top=float(rng.uniform(0.016, 0.030) if coat else rng.uniform(0.004, 0.020)),
        hem=hem,
        flare=float(rng.uniform(0.07, 0.11)),
        sole=float(rng.uniform(0.005, 0.02)),
        hair=hair,
        volume=float(rng.uniform(0.002, 0.010)),
        hat=float(rng.uniform(0.02, 0.05)) if rng.uniform() < 0.08 else 0.0,
        bag=bag,
        bag_side=bag_side,
        bag_size=float(rng.uniform(0.04, 0.075)),
        still_arms=(bool(still[0]), bool(still[1])),
    )
