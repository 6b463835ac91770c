"""Colours of images as one 4x4 matrix, and the strengths of their frequency bands.

Karras et al. 2020, arXiv:2006.06676, appendix B: colour changes are affine maps of RGB, composed
and applied once; image-space filtering scales four octaves of frequencies, split by the
orthogonal wavelet sym2, with the power of a typical image kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.augment.draws import Draws, beside

COLOUR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
"""Changes of colour, in their order."""
BRIGHTNESS, CONTRAST, SATURATION, BAND = 0.2, 0.5, 1.0, 1.0
"""Appendix B: standard deviations, of the exponents of two for all but the first."""
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Expected power of the four bands in a natural image (1/f), lowest first."""
# The low pass of the symlet with two vanishing moments (Daubechies 1992), sum sqrt 2.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)


def drawn_colours(draws: Draws, multipliers: Mapping[str, float]) -> Tensor:
    """Affine maps (B, 4, 4) of RGB; grey images, with less than three channels, keep hue and
    saturation.

    Args:
        draws: Where numbers come from; its images are (B, C, H, W).
        multipliers: Of the changes; those without one do not happen.
    """
    on = {name: value for name, value in multipliers.items() if value}
    eye = torch.eye(4).to(draws.like)
    colours = eye.expand(len(draws.like), 4, 4)
    # Along the diagonal of the RGB cube lies luma.
    luma = F.pad(draws.like.new_full((3, 3), 1 / 3), (0, 1, 0, 1))
    if "brightness" in on:
        shift = draws.spared(draws.normal() * BRIGHTNESS, on["brightness"], 0)
        move = F.pad(shift[:, None, None].expand(-1, 3, 1), (3, 0, 0, 1))
        colours = (eye + move) @ colours
    if "contrast" in on:
        factor = draws.spared(torch.exp2(draws.normal() * CONTRAST), on["contrast"], 1)
        colours = torch.stack([factor] * 3 + [torch.ones_like(factor)], 1)[:, :, None] * colours
    if "lumaflip" in on:
        flips = draws.spared((draws.uniform(1, 1) * 2).floor(), on["lumaflip"], 0)
        colours = (eye - 2 * luma * flips) @ colours
    if "hue" in on and draws.like.shape[1] > 2:
        angle = draws.spared((draws.uniform(1, 1) * 2 - 1) * math.pi, on["hue"], 0)
        colours = _turned(luma, angle) @ colours
    if "saturation" in on and draws.like.shape[1] > 2:
        factor = torch.exp2(draws.normal(1, 1) * SATURATION)
        factor = draws.spared(factor, on["saturation"], 1)
        colours = (luma + (eye - luma) * factor) @ colours
    return colours


def coloured(images: Tensor, colours: Tensor) -> Tensor:
    """Images (B, C, H, W) through maps (B, 4, 4). The first three channels are RGB; of images
    with fewer the first is grey. What follows, such as opacity, stays."""
    if images.shape[1] < 3:
        row = colours[:, :3].mean(1)
        gain, shift = row[:, :3].sum(1).view(-1, 1, 1, 1), row[:, 3].view(-1, 1, 1, 1)
        grey = images[:, :1] * beside(gain, images) + beside(shift, images)
        return torch.cat([grey, images[:, 1:]], 1)
    flat, colours = images[:, :3].flatten(2), beside(colours, images)
    rgb = torch.baddbmm(colours[:, :3, 3:], colours[:, :3, :3], flat)
    rgb = rgb.view(-1, 3, *images.shape[2:])
    return rgb if images.shape[1] == 3 else torch.cat([rgb, images[:, 3:]], 1)


def drawn_bands(draws: Draws, multiplier: float) -> Tensor:
    """Gains (B, 4) of the frequency bands, lowest first, that keep an image's expected power."""
    power = draws.like.new_tensor(POWER)
    gains = torch.ones(len(draws.like), len(POWER)).to(draws.like)
    for band in range(len(POWER)):
        gain = draws.spared(torch.exp2(draws.normal() * BAND), multiplier, 1)
        own = torch.ones_like(gains)
        own[:, band] = gain
        gains = gains * own / (power * own.square()).sum(1, keepdim=True).sqrt()
    return gains


def filtered(images: Tensor, gains: Tensor) -> Tensor:
    """Images (B, C, H, W) whose frequency bands are multiplied by gains (B, 4)."""
    count, channels, height, width = images.shape
    bank = torch.from_numpy(_bank()).to(gains)
    taps = beside((gains @ bank).repeat_interleave(channels, 0), images)  # (B C, taps)
    x = _mirrored(images.reshape(1, count * channels, height, width), bank.shape[1] // 2)
    x = F.conv2d(x, taps[:, None, None, :], groups=count * channels)
    x = F.conv2d(x, taps[:, None, :, None], groups=count * channels)
    return x.view(count, channels, height, width)


def _turned(luma: Tensor, angle: Tensor) -> Tensor:
    """Turns (B, 4, 4) of RGB about the axis of luma by angles (B, 1, 1), after Rodrigues."""
    across = angle.new_zeros(4, 4)
    third = 1 / math.sqrt(3)
    for row, column, sign in ((0, 1, -1), (1, 2, -1), (2, 0, -1), (1, 0, 1), (2, 1, 1), (0, 2, 1)):
        across[row, column] = sign * third
    rest = torch.eye(4).to(angle)
    rest[3, 3] = 0
    turn = angle.cos() * (rest - luma) + angle.sin() * across + luma
    return F.pad(turn[:, :3, :3], (0, 1, 0, 1)) + torch.eye(4).to(angle) - rest


def _mirrored(images: Tensor, pad: int) -> Tensor:
    """Reflected at the rim by so many pixels, again and again where the image is smaller."""
    while pad:
        step = min(pad, images.shape[-1] - 1, images.shape[-2] - 1)
        images = F.pad(images, (step,) * 4, mode="reflect")
        pad -= step
    return images


@cache
def _bank() -> np.ndarray:
    """Filters (4, 43) of four octaves, lowest first: zero-phase products of sym2's passes."""
    low = np.array(SYM2)
    high = low * (-1) ** np.arange(low.size)
    low, high = np.convolve(low, low[::-1]) / 2, np.convolve(high, high[::-1]) / 2
    bank = np.eye(4, 1)
    for band in range(1, 4):
        wider = np.zeros((4, 2 * bank.shape[1] - 1))
        wider[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in wider])
        middle = (bank.shape[1] - high.size) // 2
        bank[band, middle : middle + high.size] += high
    return bank
