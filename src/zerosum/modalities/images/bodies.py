"""Bodies and garments of synthetic figures: their measures, and how a garment is bent when worn.

A garment lies flat on one form, as shops show it. Worn, it is bent by a smooth map that is known:
the thin-plate spline (Bookstein 1989) that takes the landmarks of a body to those of the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 64, 48
"""Pixels."""
REACH = 1.2
"""Longest hem as a share of the torso; so far down a person is blank."""

Numbers = NDArray[np.float64]
Colour = tuple[int, int, int]
Pattern = Literal["plain", "rows", "columns", "dots"]


@dataclass(frozen=True)
class Body:
    """A body; lengths in pixels of a picture of 64x48, angles in degrees from straight down.

    Attributes:
        centre: Across, of the neck.
        top: Down, of the shoulders.
        shoulders: Half their breadth.
        waist: Half its breadth.
        hips: Half their breadth.
        torso: Length from the shoulders to the hips.
        sway: How far right of the neck the hips are.
        arm: Length from shoulder to elbow, and from elbow to wrist.
        angles: Of the left and the right arm in the picture.
        bend: Of the forearms, further out.
        folded: Which forearm lies across the belly: 0 none, -1 the left, 1 the right.
        long_hair: Whether hair falls over the shoulders.
        skin: Colour.
        hair: Colour.
        trousers: Colour.
        wall: Colour behind.
    """

    centre: float = 24.0
    top: float = 8.0
    shoulders: float = 10.0
    waist: float = 9.0
    hips: float = 9.5
    torso: float = 42.0
    sway: float = 0.0
    arm: float = 13.0
    angles: tuple[float, float] = (24.0, 24.0)
    bend: float = 0.0
    folded: int = 0
    long_hair: bool = False
    skin: Colour = (200, 160, 130)
    hair: Colour = (60, 40, 30)
    trousers: Colour = (60, 60, 90)
    wall: Colour = (200, 205, 210)


@dataclass(frozen=True)
class Garment:
    """A shirt.

    Attributes:
        sleeve: Length as a share of the arm.
        hem: Length as a share of the torso.
        loose: Pixels, in the flat picture, that it is wider than the body at its hem.
        pointed: Whether its neck is a V.
        pattern: What is on the cloth.
        pitch: Of the pattern, pixels of the flat picture.
        colours: Of the cloth, the pattern, the sleeves and the badge.
        badge: Half its breadth in pixels; 0 for none.
        square: Whether the badge is a square, else a disc.
    """

    sleeve: float
    hem: float
    loose: float
    pointed: bool
    pattern: Pattern
    pitch: float
    colours: tuple[Colour, Colour, Colour, Colour]
    badge: float = 0.0
    square: bool = False


FLAT = Body()
"""The form on which a garment lies flat."""


def landmarks(body: Body) -> Numbers:
    """Places (x, y) on a body, (23, 2).

    Of each side the neck, the shoulder, the armpit, the waist, the hip, the longest hem, and the
    outer and the inner edge at the elbow and at the wrist; then chest, waist and longest hem in
    the middle.
    """
    found = []
    for side, angle in zip((-1, 1), body.angles):
        middle, top = body.centre, body.top
        found += [
            (middle + side * 0.36 * body.shoulders, top),
            (middle + side * body.shoulders, top + 0.05 * body.torso),
            (middle + side * 0.88 * body.shoulders, top + 0.30 * body.torso),
            (middle + body.sway / 2 + side * body.waist, top + 0.62 * body.torso),
            (middle + body.sway + side * body.hips, top + body.torso),
            (middle + body.sway + side * body.hips, top + REACH * body.torso),
        ]
        for joint, normal in joints(body, side, angle)[1:]:
            found += [tuple(joint + half * normal) for half in (thickness(body), -thickness(body))]
    for share, part in ((0.3, 0.0), (0.62, 0.5), (REACH, 1.0)):
        found.append((body.centre + part * body.sway, body.top + share * body.torso))
    return np.array(found)


def joints(body: Body, side: int, angle: float) -> list[tuple[Numbers, Numbers]]:
    """Shoulder, elbow and wrist of an arm, each with the outward direction across it."""
    place = np.array([body.centre + side * 0.86 * body.shoulders, body.top + 0.12 * body.torso])
    found = []
    for extra in (0.0, body.bend):
        turned = np.deg2rad(angle + extra)
        along = np.array([side * np.sin(turned), np.cos(turned)])
        across = np.array([side * np.cos(turned), -np.sin(turned)])
        if not found:
            found.append((place, across))
        place = place + body.arm * along
        found.append((place, across))
    return found


def thickness(body: Body) -> float:
    """Half of an arm's, with its sleeve."""
    return 0.3 * body.shoulders


def flat_of(body: Body, places: Numbers) -> Numbers:
    """Where on the flat form lies what is seen at places (N, 2) of a body; all in (x, y)."""
    from scipy.interpolate import RBFInterpolator  # slow to load, for who draws no bodies

    spline = RBFInterpolator(landmarks(body), landmarks(FLAT), kernel="thin_plate_spline")
    return spline(places)


def some_body(rng: np.random.Generator) -> Body:
    """A body by chance."""
    tall, broad = rng.uniform(0.9, 1.06), rng.uniform(0.9, 1.12)
    shoulders = 7.6 * broad
    tone = np.array([240, 200, 170]) * rng.uniform(0.4, 1.0)
    brown = rng.uniform(0.15, 1.0)
    return Body(
        centre=24 + rng.uniform(-1.5, 1.5),
        top=17 + rng.uniform(-1, 1),
        shoulders=shoulders,
        waist=shoulders * rng.uniform(0.72, 0.92),
        hips=shoulders * rng.uniform(0.82, 1.0),
        torso=21 * tall,
        sway=rng.uniform(-1.8, 1.8),
        arm=9.2 * tall,
        angles=(rng.uniform(14, 48), rng.uniform(14, 48)),
        bend=rng.uniform(-6, 8),
        folded=int(rng.choice([0, 0, -1, 1])),
        long_hair=bool(rng.random() < 0.3),
        skin=_colour(tone),
        hair=_colour(np.array([170, 110, 60]) * brown),
        trousers=_colour(rng.uniform(30, 140, size=3)),
        wall=_colour(rng.uniform(150, 240) + rng.uniform(-12, 12, size=3)),
    )


def some_garment(rng: np.random.Generator) -> Garment:
    """A garment by chance, never so light that it is lost on white."""
    sleeve = float(rng.choice([0.25, 0.45, 0.97]))
    cloth, second, badge = (rng.uniform(20, 215, size=3) for _ in range(3))
    pattern: Pattern = ("plain", "rows", "columns", "dots")[rng.integers(4)]
    other = second if rng.random() < 0.3 else cloth
    return Garment(
        sleeve=sleeve,
        hem=rng.uniform(0.85, REACH - 0.05),
        loose=rng.uniform(0, 2.5),
        pointed=bool(rng.random() < 0.5),
        pattern=pattern,
        pitch=rng.uniform(5, 9),
        colours=(_colour(cloth), _colour(second), _colour(other), _colour(badge)),
        badge=float(rng.choice([0.0, rng.uniform(3, 4.5)])),
        square=bool(rng.random() < 0.5),
    )


def _colour(values: Numbers) -> Colour:
    red, green, blue = np.clip(np.rint(values), 0, 255).astype(int).tolist()
    return red, green, blue
