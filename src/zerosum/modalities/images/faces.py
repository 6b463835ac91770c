"""Synthetic faces: drawings whose age and identity are known exactly. No person is shown.

For checks of face aging, for which no free pictures of people with their ages are at hand. What
age does is set here: hair greys from 30 to 75, furrows deepen from 35 on, and a child's eyes are
large in a small round face. Who it is does not change with age.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 32
"""Pixels."""
FINE = 8
"""Drawn so many times larger, then made small."""
PARTS = ("face width", "eye distance", "mouth width", "nose length", "skin", "hair", "hairline")
"""What an identity is made of, each a number in [0, 1]."""
GROUPS = ((5, 19), (20, 39), (40, 59), (60, 79))
"""Youngest and oldest age of each group, in years."""
GROUP_NAMES = tuple(f"{low:02d}-{high}" for low, high in GROUPS)

Numbers = NDArray[np.float64]


def identities(count: int, rng: np.random.Generator) -> Numbers:
    """Identities (count, 7), uniform in [0, 1]."""
    return rng.uniform(size=(count, len(PARTS)))


def ages_of(groups: NDArray[np.int64], rng: np.random.Generator) -> Numbers:
    """Ages (N,) in years, uniform within the groups (N,)."""
    low, high = np.array(GROUPS, dtype=np.float64)[groups].T
    return rng.uniform(low, high + 1)


def drawn_face(age: float, identity: Numbers) -> NDArray[np.uint8]:
    """A face of an age in years, uint8 (32, 32, 3)."""
    wide, apart, smile, nose, skin, hair, line = identity
    young = float(np.clip((20 - age) / 15, 0, 1))
    grey = float(np.clip((age - 30) / 45, 0, 1))
    furrows = float(np.clip((age - 35) / 40, 0, 1))
    size = SIDE * FINE
    picture = Image.new("RGB", (size, size), (120, 150, 170))
    pen = ImageDraw.Draw(picture)

    def box(x: float, y: float, half_width: float, half_height: float) -> list[float]:
        """Of a centre and half sides, all as shares of the picture."""
        return [
            (x - half_width) * size,
            (y - half_height) * size,
            (x + half_width) * size,
            (y + half_height) * size,
        ]

    tone = np.array([235, 195, 165]) * (0.55 + 0.45 * skin)
    brown = np.array([40 + 130 * hair, 28 + 70 * hair, 18 + 20 * hair])
    locks = (1 - grey) * brown + grey * np.array([225, 225, 225])
    half = 0.27 + 0.09 * wide
    tall = 0.40 - 0.05 * young
    pen.ellipse(box(0.5, 0.46, half + 0.07, tall + 0.05), fill=_colour(locks))
    pen.ellipse(box(0.5, 0.56, half, tall), fill=_colour(tone))
    pen.ellipse(box(0.5, 0.10 + 0.08 * line, half + 0.04, 0.14), fill=_colour(locks))
    dark = tone * (1 - 0.55 * furrows)
    for row in (0.33, 0.38):
        pen.rectangle(box(0.5, row, half * 0.6, 0.012), fill=_colour(dark))
    for side in (-1, 1):
        x = 0.5 + side * (0.09 + 0.07 * apart)
        open_ = 0.035 + 0.025 * young
        pen.ellipse(box(x, 0.50, 0.055, open_), fill=(250, 250, 250))
        pen.ellipse(box(x, 0.50, 0.028, min(open_, 0.04)), fill=(40, 50, 60))
        pen.rectangle(box(x, 0.57, 0.05, 0.01), fill=_colour(dark))
        pen.rectangle(
            box(0.5 + side * (0.14 + 0.05 * smile), 0.72, 0.012, 0.06), fill=_colour(dark)
        )
    pen.rectangle(box(0.5, 0.60, 0.018, 0.03 + 0.05 * nose), fill=_colour(tone * 0.75))
    pen.ellipse(box(0.5, 0.78, 0.06 + 0.09 * smile, 0.03), fill=(170, 60, 60))
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def _colour(values: Numbers) -> tuple[int, int, int]:
    red, green, blue = np.clip(np.rint(values), 0, 255).astype(int).tolist()
    return red, green, blue


def middle(group: int) -> float:
    """The age in the middle of a group, in years."""
    low, high = GROUPS[group]
    return (low + high + 1) / 2
