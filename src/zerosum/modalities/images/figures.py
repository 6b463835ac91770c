"""Synthetic dressed figures: drawings of a body and of a garment that are known exactly.

For checks of virtual try-on, for which no free pictures are at hand. No person and no garment of a
shop is shown. What is worn is the flat garment bent by a known map, see `bodies`; hair and a
folded forearm may lie over it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zerosum.modalities.images.bodies import (
    FLAT,
    HEIGHT,
    REACH,
    WIDTH,
    Body,
    Colour,
    Garment,
    Numbers,
    flat_of,
    joints,
    landmarks,
    some_body,
    some_garment,
    thickness,
)

FINE = 2
"""Drawn so many times larger, then made small."""
BLANK = 128
"""Level of what is hidden of a person: torso, arms and the garment that is worn."""

Pixels = NDArray[np.uint8]


class Dressed(NamedTuple):
    """Pictures uint8 (3, 64, 48) and masks (1, 64, 48) of one figure.

    Attributes:
        person: The figure with torso and arms blank: nothing of it tells what is worn.
        garment: The garment, flat, on white.
        garment_mask: Where the flat garment is.
        worn: Where the garment is seen on the figure.
        image: The figure in the garment.
    """

    person: Pixels
    garment: Pixels
    garment_mask: Pixels
    worn: Pixels
    image: Pixels


def dressed(body: Body, garment: Garment) -> Dressed:
    """A body in a garment, and all that is known of it.

    A garment whose sleeves are longer than to the elbow straightens a folded forearm: a bend so
    sharp is no smooth map.
    """
    if garment.sleeve > 0.5 and body.folded:
        body = replace(body, folded=0)
    flat = flat_garment(garment)
    worn = _bent(flat, body)
    naked, over = _figure(body)
    image = naked.copy()
    image.alpha_composite(worn)
    image.alpha_composite(over)
    seen = np.asarray(worn)[..., 3].astype(float) * (1 - np.asarray(over)[..., 3] / 255)
    person = naked.copy()
    _blank(person, body)
    person.alpha_composite(over if not body.folded else _figure(body, hand_only=True)[1])
    on_white = Image.new("RGBA", flat.size, (255, 255, 255, 255))
    on_white.alpha_composite(flat)
    return Dressed(
        _small(person),
        _small(on_white),
        _small(flat.getchannel("A")),
        _small(Image.fromarray(np.rint(seen).astype(np.uint8))),
        _small(image),
    )


@cache
def figure(number: int) -> Dressed:
    """Figure of a number: a body and a garment by chance that the number decides, not the run."""
    rng = np.random.default_rng((64_48, number))
    return dressed(some_body(rng), some_garment(rng))


# -- drawing --------------------------------------------------------------------------------------


def flat_garment(garment: Garment) -> Image.Image:
    """The garment on the flat form, RGBA, `FINE` times as large."""
    cloth = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), garment.colours[0])
    _pattern(ImageDraw.Draw(cloth), garment)
    cut = Image.new("L", cloth.size)
    pen = ImageDraw.Draw(cut)
    neck, tip, pit, waist, hip = landmarks(FLAT)[10:15]  # of the right side

    def both(*places: tuple[float, float]) -> list[float]:
        """An outline of the right side and its mirror image."""
        left = [(2 * FLAT.centre - x, y) for x, y in places[::-1]]
        return _scaled([*places, *left])

    half = thickness(FLAT)
    (root, out), *_ = joints(FLAT, 1, FLAT.angles[1])
    end = root + garment.sleeve * 2 * FLAT.arm * np.array([-out[1], out[0]])
    sleeve = [tuple(tip), tuple(end + half * out), tuple(end - half * out), tuple(pit)]
    mirrored = [(2 * FLAT.centre - x, y) for x, y in sleeve]
    pen_of_cloth = ImageDraw.Draw(cloth)
    for shape in (sleeve, mirrored):
        if garment.colours[2] != garment.colours[0]:
            pen_of_cloth.polygon(_scaled(shape), fill=garment.colours[2])
        pen.polygon(_scaled(shape), fill=255)
    bottom = FLAT.top + garment.hem * FLAT.torso
    wide = garment.loose
    edge = (hip[0] + wide, bottom)
    pen.polygon(
        both(tuple(neck), tuple(tip), tuple(pit), (waist[0] + wide / 2, waist[1]), edge), fill=255
    )
    x, y, deep = FLAT.centre, FLAT.top, 6.0 if garment.pointed else 3.5
    if garment.pointed:
        pen.polygon(_scaled([(neck[0], y - 1), (x, y + deep), (2 * x - neck[0], y - 1)]), fill=0)
    else:
        breadth = neck[0] - x
        pen.ellipse(_scaled([(x - breadth, y - deep), (x + breadth, y + deep)]), fill=0)
    cloth.putalpha(cut)
    return cloth


def _pattern(pen: ImageDraw.ImageDraw, garment: Garment) -> None:
    colour, pitch = garment.colours[1], garment.pitch
    across, down = np.arange(0, WIDTH, pitch), np.arange(0, HEIGHT, pitch)
    if garment.pattern == "rows":
        for y in down:
            pen.rectangle(_scaled([(0, y), (WIDTH, y + pitch / 2)]), fill=colour)
    if garment.pattern == "columns":
        for x in across:
            pen.rectangle(_scaled([(x, 0), (x + pitch / 2, HEIGHT)]), fill=colour)
    if garment.pattern == "dots":
        for x in across:
            for y in down:
                pen.ellipse(_scaled([(x, y), (x + pitch / 2, y + pitch / 2)]), fill=colour)
    if garment.badge:
        x, y, half = FLAT.centre, FLAT.top + 0.36 * FLAT.torso, garment.badge
        box = _scaled([(x - half, y - half), (x + half, y + half)])
        (pen.rectangle if garment.square else pen.ellipse)(box, fill=garment.colours[3])


def _bent(flat: Image.Image, body: Body) -> Image.Image:
    """The flat garment as a body wears it."""
    from scipy.ndimage import map_coordinates  # slow to load, for who draws no bodies

    # The map is smooth: between the corners of pixels it is read linearly.
    rows, columns = np.mgrid[: HEIGHT + 1, : WIDTH + 1]
    corners = flat_of(body, np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float))
    fine = (np.mgrid[: HEIGHT * FINE, : WIDTH * FINE] + 0.5) / FINE
    x, y = (
        map_coordinates(one.reshape(rows.shape), fine.reshape(2, -1), order=1) * FINE - 0.5
        for one in corners.T
    )
    bands = np.asarray(flat).astype(np.float32)
    # Colours go on beyond the cut, so that its edge is mixed with nothing.
    taken = [
        map_coordinates(bands[..., band], [y, x], order=1, mode=mode, cval=0.0)
        for band, mode in enumerate(("nearest", "nearest", "nearest", "constant"))
    ]
    pixels = np.stack(taken, axis=-1).reshape(HEIGHT * FINE, WIDTH * FINE, 4)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _figure(body: Body, *, hand_only: bool = False) -> tuple[Image.Image, Image.Image]:
    """The figure without a garment, and apart what lies over one; `FINE` times as large."""
    size = (WIDTH * FINE, HEIGHT * FINE)
    naked = Image.new("RGBA", size, (*body.wall, 255))
    over = Image.new("RGBA", size)
    pen, above = ImageDraw.Draw(naked), ImageDraw.Draw(over)
    x, y, hip = body.centre, body.top, body.centre + body.sway
    bottom = y + body.torso
    for side in (-1, 1):
        leg = [(hip, bottom - 3), (hip + side * body.hips, bottom - 3)]
        leg += [(hip + side * (body.hips + 1), HEIGHT), (hip + side * 1, HEIGHT)]
        pen.polygon(_scaled(leg), fill=body.trousers)
    pen.polygon(_scaled(_trunk(body, 0, 1.0)), fill=body.skin)
    half = 0.22 * body.shoulders
    for side, angle in zip((-1, 1), body.angles):
        (root, _), (elbow, _), (wrist, _) = joints(body, side, angle)
        _limb(pen, root, elbow, half, body.skin)
        if body.folded == side:
            wrist = np.array([x - side * 0.3 * body.shoulders, y + 0.72 * body.torso])
            if not hand_only:
                _limb(above, elbow, wrist, half, body.skin)
        else:
            _limb(pen, elbow, wrist, half, body.skin)
        _limb(above, wrist, wrist, half + 0.5, body.skin)  # the hand
    _limb(pen, np.array([x, y - 4]), np.array([x, y + 1]), 0.3 * body.shoulders, body.skin)
    head = y - 8.5
    if body.long_hair:
        for side in (-1, 1):
            lock = [(x + side * 4.6, head - 2), (x + side * 4.6, y + 0.3 * body.torso)]
            _limb(above, np.array(lock[0]), np.array(lock[1]), 1.3, body.hair)
    above.ellipse(_scaled([(x - 5.2, head - 6.5), (x + 5.2, head + 4)]), fill=body.hair)
    above.ellipse(_scaled([(x - 4.3, head - 4.5), (x + 4.3, head + 6)]), fill=body.skin)
    for side in (-1, 1):
        eye = x + side * 1.8
        above.ellipse(_scaled([(eye - 0.6, head - 0.6), (eye + 0.6, head + 0.6)]), fill="#333")
    return naked, over


def _blank(person: Image.Image, body: Body) -> None:
    """Hide torso and arms, so wide that no cut of a garment shows."""
    pen, grey = ImageDraw.Draw(person), (BLANK, BLANK, BLANK)
    pen.polygon(_scaled(_trunk(body, 1.5, REACH)), fill=grey)
    for side, angle in zip((-1, 1), body.angles):
        (root, _), (elbow, _), (wrist, _) = joints(body, side, angle)
        half = thickness(body) + 0.5
        _limb(pen, root, elbow, half, grey)
        if body.folded != side:
            _limb(pen, elbow, wrist, half, grey)


def _trunk(body: Body, wide: float, reach: float) -> list[tuple[float, float]]:
    """The outline of a torso, wider by some pixels and down to a share of its length."""
    places = landmarks(body)
    hip = body.centre + body.sway
    right = [(x + wide, y) for x, y in places[10:14]]
    left = [(x - wide, y) for x, y in places[3::-1]]
    bottom = body.top + reach * body.torso
    return [*right, (hip + body.hips + wide, bottom), (hip - body.hips - wide, bottom), *left]


def _limb(
    pen: ImageDraw.ImageDraw, start: Numbers, end: Numbers, half: float, colour: Colour
) -> None:
    """A line with round ends."""
    pen.line(_scaled([tuple(start), tuple(end)]), fill=colour, width=round(2 * half * FINE))
    for x, y in (start, end):
        pen.ellipse(_scaled([(x - half, y - half), (x + half, y + half)]), fill=colour)


def _scaled(places: list[tuple[float, float]] | list[tuple[float, ...]]) -> list[float]:
    """Places as Pillow's pens take them, in fine pixels."""
    return [float(value) * FINE for place in places for value in place]


def _small(picture: Image.Image) -> Pixels:
    """uint8 (1 or 3, 64, 48), each pixel the mean of those that it is made of."""
    picture = picture.convert("RGB") if picture.mode == "RGBA" else picture
    pixels = np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))
