"""Bodies by age and sex: how long and how thick their parts are.

Every table is rounded and interpolated linearly. "Checked" are the numbers that were compared with their source, or
its abstract, while this was written; the others are as they are commonly quoted, and count as approximations of ours
until somebody has compared them. What no source gives is said to be our own choice; those numbers only have to look
right in a silhouette. Thickness and shoulders were set so that walkers of twenty to thirty are as wide, row by row, as
the silhouettes of CASIA-A.
"""

from dataclasses import dataclass

import numpy as np

FIRST_AGE, LAST_AGE = 2, 90

# Stature in cm, medians of the CDC growth charts for the United States (Kuczmarski et al. 2002), about to the
# centimetre; not checked.
_GROWTH_AGES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20)
_BOYS = (87, 95, 102, 109, 116, 122, 128, 134, 139, 144, 149, 156, 164, 170, 174, 175, 176, 177)
_GIRLS = (85, 94, 101, 108, 115, 122, 128, 133, 138, 144, 151, 157, 160, 162, 163, 163, 163, 163)
_STATURE_SPREAD = 0.042
# Stature lost since 30 in cm: about 3 (men) and 5 (women) by 70, 5 and 8 by 80 (Sorkin, Muller and Andres 1999;
# checked). That it goes on beyond 80 is our own choice.
_LOSS_AGES = (30, 70, 80, 90)
_LOSS_MEN, _LOSS_WOMEN = (0, 3, 5, 7), (0, 5, 8, 11)
# Body mass index: medians of the CDC growth charts to 20, not checked; beyond, our own choice between national surveys.
_BMI_AGES = (2, 5, 10, 15, 20, 30, 50, 65, 90)
_BMI = (16.5, 15.3, 16.7, 19.8, 22.3, 23.5, 25.0, 25.2, 23.0)
_BMI_SPREAD = 0.14

# Chin to vertex: a fifth of the stature at two, a sixth at six (Stratz's drawings, reprinted by most texts on growth;
# not checked); adults 0.130 (Drillis and Contini 1966, in Winter, "Biomechanics and Motor Control of Human Movement",
# fig. 4.1; that figure's numbers, here and below, are not checked).
_HEAD_AGES, _HEAD = (2, 6, 12, 18), (0.200, 0.167, 0.146, 0.130)
# Height of the hip joint: adults 0.530 (Drillis and Contini). Children's follows the ratio of upper to lower segment,
# 1.7 at birth and 1 at eight to ten years (checked); 1.1 to 1.3 are told for three years, and 1.2 is our own choice.
_HIP_AGES, _HIP_HEIGHT = (2, 3, 5, 10, 13, 17), (0.437, 0.453, 0.474, 0.520, 0.535, 0.530)
# Shoulder joint to chin: adults 0.870 - 0.818 (Drillis and Contini). How much shorter children's is is our own choice.
_NECK_AGES, _NECK = (2, 8, 16), (0.028, 0.042, 0.052)
# A child's span is less than its stature, from about twelve on it is as long (checked); by how much is our own choice.
_ARM_AGES, _ARM_SHARE = (2, 10, 16), (0.93, 0.98, 1.0)


@dataclass(frozen=True)
class Body:
    """One walker's build; lengths in metres.

    Attributes:
        stature: upright, without shoes.
        head: chin to vertex.
        neck: shoulder joint to chin, along the spine.
        trunk: hip joint to shoulder joint.
        upper_arm, forearm, hand, thigh, shank, foot: from joint to joint, or to the end.
        ankle_height: of the joint above the sole.
        half_shoulders, half_hips: from the middle to the joint.
        girth: factor on the usual thickness at this stature.
        female: whether a woman or girl.
        maturity: 0 before puberty, 1 after it.
    """

    stature: float
    head: float
    neck: float
    trunk: float
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shank: float
    foot: float
    ankle_height: float
    half_shoulders: float
    half_hips: float
    girth: float
    female: bool
    maturity: float

    @property
    def leg(self) -> float:
        """Hip joint to sole."""
        return self.thigh + self.shank + self.ankle_height


def draw_body(age: float, female: bool, rng: np.random.Generator) -> Body:
    """Draw the build of one person of an age in years.

    Segment lengths are Drillis and Contini's shares of the stature, with the exceptions for children above; people
    differ by some percent in each. Their breadths are those of whole bodies; the joints lie inside, so that shoulders
    and hips are narrower here, by our own choice. Thickness follows the ponderal index, body mass index over stature:
    volumes are alike if radii grow with its root.
    """
    grown = between(age, _GROWTH_AGES, _GIRLS if female else _BOYS) / 100
    grown *= 1 + _STATURE_SPREAD * rng.normal()
    lost = between(age, _LOSS_AGES, _LOSS_WOMEN if female else _LOSS_MEN) / 100 * float(rng.uniform(0.5, 1.5))
    stature = grown - lost
    head = between(age, _HEAD_AGES, _HEAD) * grown * varied(rng, 0.035)
    neck = between(age, _NECK_AGES, _NECK) * grown * varied(rng, 0.10)
    leg = between(age, _HIP_AGES, _HIP_HEIGHT) * grown * varied(rng, 0.022)
    arm = between(age, _ARM_AGES, _ARM_SHARE) * grown * varied(rng, 0.03)
    knee = 0.462 * varied(rng, 0.02)
    maturity = between(age, (10, 16), (0.0, 1.0))
    bmi = between(age, _BMI_AGES, _BMI) * float(np.exp(_BMI_SPREAD * rng.normal()))
    return Body(
        stature=stature,
        head=head,
        neck=neck,
        trunk=stature - head - neck - leg,
        upper_arm=0.186 * arm,
        forearm=0.146 * arm,
        hand=0.108 * arm,
        thigh=knee * leg,
        shank=(0.926 - knee) * leg,
        foot=0.152 * grown * varied(rng, 0.04),
        ankle_height=0.074 * leg,
        half_shoulders=0.094 * grown * (1 - 0.07 * female * maturity) * varied(rng, 0.05),
        half_hips=0.055 * grown * (1 + 0.05 * female * maturity) * varied(rng, 0.05),
        girth=float(np.sqrt(bmi / grown / (22 / 1.70))),
        female=female,
        maturity=maturity,
    )


def between(age: float, ages: tuple[float, ...], values: tuple[float, ...]) -> float:
    """A table's value at an age."""
    return float(np.interp(age, ages, values))


def varied(rng: np.random.Generator, spread: float) -> float:
    """A factor around 1; people farther off than two and a half spreads are not drawn."""
    return 1 + spread * min(max(rng.normal(), -2.5), 2.5)
