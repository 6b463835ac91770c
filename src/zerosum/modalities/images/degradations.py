"""How a sharp picture becomes a small and poor one.

Bicubic reduction is the field's standard. The other way is that of Wang, Xie, Dong and Shan 2021,
"Real-ESRGAN", arXiv:2107.10833, section 3: blur, resizing, noise and JPEG, all of it twice, and
ringing at the end. Its figures are those of section 4.1. Pictures are uint8 (C, H, W) throughout.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import conv2d, pad

from zerosum.data.pixels import Pixels

Levels = NDArray[np.float32]
"""A picture (C, H, W) on the scale 0..1."""
Kernel = NDArray[np.float32]
"""A blur (k, k) that sums to 1."""

SIDES = (7, 9, 11, 13, 15, 17, 19, 21)
"""Sides of kernels, all as likely."""
KINDS = (
    ("gaussian", True, 0.45),
    ("gaussian", False, 0.25),
    ("generalised", True, 0.12),
    ("generalised", False, 0.03),
    ("plateau", True, 0.12),
    ("plateau", False, 0.03),
)
"""Forms of a blur, whether it is alike in all directions, and the share of each."""
FILTERS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
COUNTS = 256
"""Photons that the lightest pixel stands for in Poisson noise."""


@dataclass(frozen=True)
class Stage:
    """One of the two rounds; pairs are the least and the greatest value.

    Attributes:
        blurred: Share of the pictures that are blurred.
        width: Standard deviations of a blur, in pixels.
        resized: Shares of the pictures that are enlarged, reduced and kept.
        factor: By how much a side is multiplied.
        gaussian: Standard deviations of the noise, in levels of 255.
        poisson: By how much Poisson noise is multiplied.
    """

    blurred: float
    width: tuple[float, float]
    resized: tuple[float, float, float]
    factor: tuple[float, float]
    gaussian: tuple[float, float]
    poisson: tuple[float, float]


FIRST = Stage(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1.0, 30.0), (0.05, 3.0))
SECOND = Stage(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1.0, 25.0), (0.05, 2.5))
SINC_SHARE, LAST_SINC_SHARE = 0.1, 0.8
"""Shares of the blurs, and of the pictures at the end, that ring."""
GREY_NOISE = 0.4
"""Share of the noise that is alike in all channels."""
QUALITY = (30, 95)
"""Of JPEG."""


def bicubic(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture (C, H, W) in another (height, width), a = -0.5, antialiased where it shrinks."""
    return _resized(picture, size, Image.Resampling.BICUBIC)


def second_order(picture: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
    """A picture (C, H, W) degraded twice, and reduced to (C, H / scale, W / scale).

    Args:
        picture: Its sides are multiples of `scale`.
        scale: By how much it is reduced.
        rng: Where all chance comes from; the same gives the same picture.
    """
    size = (picture.shape[1] // scale, picture.shape[2] // scale)
    for stage, base in ((FIRST, picture.shape[1:]), (SECOND, size)):
        if rng.random() < stage.blurred:
            picture = blurred(picture, some_kernel(rng, stage.width))
        factor = _factor(rng, stage)
        sides = (max(1, round(base[0] * factor)), max(1, round(base[1] * factor)))
        picture = _resized(picture, sides, FILTERS[rng.integers(len(FILTERS))])
        picture = noisy(picture, rng, stage)
        if stage is FIRST:
            picture = jpeg(picture, int(rng.integers(QUALITY[0], QUALITY[1] + 1)))
    # Section 3.4: ringing before or after the second JPEG.
    last = rng.random() < 0.5
    quality = int(rng.integers(QUALITY[0], QUALITY[1] + 1))
    picture = jpeg(picture, quality) if last else picture
    picture = _resized(picture, size, FILTERS[rng.integers(len(FILTERS))])
    if rng.random() < LAST_SINC_SHARE:
        side = int(rng.choice(SIDES))
        picture = blurred(picture, sinc(side, float(rng.uniform(np.pi / 3, np.pi))))
    return picture if last else jpeg(picture, quality)


# -- blur ---------------------------------------------------------------------------------------


def some_kernel(rng: np.random.Generator, widths: tuple[float, float]) -> Kernel:
    """A kernel of a drawn side, shape, width and direction."""
    side = int(rng.choice(SIDES))
    if rng.random() < SINC_SHARE:
        low = np.pi / 3 if side >= 13 else np.pi / 5
        return sinc(side, float(rng.uniform(low, np.pi)))
    form, even, _ = KINDS[rng.choice(len(KINDS), p=[share for *_, share in KINDS])]
    across = float(rng.uniform(*widths))
    if even:
        along, angle = across, 0.0
    else:
        along, angle = float(rng.uniform(*widths)), float(rng.uniform(-np.pi, np.pi))
    power = {
        "gaussian": 1.0,
        "generalised": float(rng.uniform(0.5, 4.0)),
        "plateau": float(rng.uniform(1.0, 2.0)),
    }[form]
    return kernel(side, across, along, angle, power, plateau=form == "plateau")


def kernel(
    side: int, across: float, along: float, angle: float, power: float = 1.0, plateau: bool = False
) -> Kernel:
    """exp(-q^power / 2), or 1 / (1 + q^power), of q = x^T S^-1 x (section 3.1).

    Args:
        side: Of the kernel in pixels, odd.
        across: Standard deviation along the first axis of S, in pixels.
        along: The same along its second axis.
        angle: By which S is turned, in radians.
        power: 1 is a Gaussian.
        plateau: The second of the two forms.
    """
    reach = np.arange(side) - side // 2
    x, y = np.meshgrid(reach, reach)
    first = (x * np.cos(angle) + y * np.sin(angle)) / across
    second = (y * np.cos(angle) - x * np.sin(angle)) / along
    form = (first**2 + second**2) ** power
    values = 1 / (1 + form) if plateau else np.exp(-form / 2)
    return (values / values.sum()).astype(np.float32)


def sinc(side: int, cutoff: float) -> Kernel:
    """The ideal circular low-pass filter, which rings: w / (2 pi r) J1(w r) (section 3.3).

    Args:
        side: Of the kernel in pixels, odd.
        cutoff: w, in radians a pixel.
    """
    from scipy.special import j1

    reach = np.arange(side) - side // 2
    distance = np.hypot(*np.meshgrid(reach, reach))
    values = np.full((side, side), cutoff**2 / (4 * np.pi))  # the limit at r = 0
    away = distance > 0
    values[away] = cutoff / (2 * np.pi * distance[away]) * j1(cutoff * distance[away])
    return (values / values.sum()).astype(np.float32)


def blurred(picture: Pixels, weights: Kernel) -> Pixels:
    """A picture filtered by a kernel, its edges repeated."""
    maps = torch.from_numpy(_levels(picture))[:, None]
    reach = weights.shape[0] // 2
    large = pad(maps, (reach,) * 4, mode="replicate")
    return _pixels(conv2d(large, torch.from_numpy(weights)[None, None])[:, 0].numpy())


# -- noise, sizes, JPEG -------------------------------------------------------------------------


def noisy(picture: Pixels, rng: np.random.Generator, stage: Stage) -> Pixels:
    """A picture with Gaussian or Poisson noise, each as likely, of the strength of a stage."""
    levels, grey = _levels(picture), rng.random() < GREY_NOISE
    if rng.random() < 0.5:
        return _pixels(levels + gaussian_noise(levels, rng, rng.uniform(*stage.gaussian), grey))
    return _pixels(levels + poisson_noise(levels, rng, rng.uniform(*stage.poisson), grey))


def gaussian_noise(levels: Levels, rng: np.random.Generator, sigma: float, grey: bool) -> Levels:
    """Noise (C, H, W) of a standard deviation in levels of 255."""
    shape = (1, *levels.shape[1:]) if grey else levels.shape
    drawn = rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma / 255)
    return np.broadcast_to(drawn, levels.shape)


def poisson_noise(levels: Levels, rng: np.random.Generator, factor: float, grey: bool) -> Levels:
    """Noise (C, H, W) of variance factor^2 level / 256, as of counted photons."""
    mean = levels.mean(0, keepdims=True) if grey else levels
    drawn = (rng.poisson(mean * COUNTS) / COUNTS - mean) * factor
    return np.broadcast_to(drawn.astype(np.float32), levels.shape)


def jpeg(picture: Pixels, quality: int) -> Pixels:
    """A picture written as JPEG of a quality (0 .. 100) and read again."""
    held = io.BytesIO()
    _picture(picture).save(held, format="JPEG", quality=quality)
    return _array(Image.open(held))


def _factor(rng: np.random.Generator, stage: Stage) -> float:
    way, (low, high) = rng.choice(3, p=stage.resized), stage.factor
    return (rng.uniform(1, high), rng.uniform(low, 1), 1.0)[way]


def _resized(picture: Pixels, size: tuple[int, int], how: Image.Resampling) -> Pixels:
    if picture.shape[1:] == size:
        return picture
    return _array(_picture(picture).resize((size[1], size[0]), how))


def _picture(picture: Pixels) -> Image.Image:
    return Image.fromarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0))


def _array(picture: Image.Image) -> Pixels:
    values = np.asarray(picture)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def _levels(picture: Pixels) -> Levels:
    return picture.astype(np.float32) / np.float32(255)


def _pixels(levels: Levels) -> Pixels:
    return np.rint(levels * 255).clip(0, 255).astype(np.uint8)
