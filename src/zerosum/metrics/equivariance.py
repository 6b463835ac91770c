"""Equivariance: does the image move with the generator's input? In decibels.

EQ-T moves it by whole pixels, EQ-T_frac by fractions too, EQ-R turns it.

Karras et al. 2021, "Alias-free generative adversarial networks", section 2.2 and appendix E.3.
The peak signal-to-noise ratio between the image of a moved input and the moved image is taken
from one mean squared error over all valid pixels of all images, not averaged over images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator
from zerosum.metrics.resampling import TURNED_REACH, blurred_as_turned, shifts, turned
from zerosum.metrics.score import Score, around

Render = Callable[[Tensor, Tensor], Tensor]
"""Renders latents (B, d) whose input is moved by matrices (B, 3, 3) into images (B, C, H, W).

A matrix acts on column vectors (x, y, 1), x to the right and y down, in units of half the image
with the centre at 0: content at p is to appear at the matrix times p.
"""


class _Moved(NamedTuple):
    """What images are to become: input transforms (B, 3, 3), references, and masks (B, 1, H, W)
    of the pixels that count; `filtered` is done to the rendered images before they are compared.
    """

    matrices: Tensor
    wanted: Tensor
    mask: Tensor
    filtered: Callable[[Tensor], Tensor] = lambda images: images


def translation_equivariance(
    render: Render,
    latents: Array,
    *,
    reach: float = 0.125,
    fractional: bool = False,
    peak: float = 2.0,
    batch: int = 16,
    rng: torch.Generator | None = None,
) -> Score:
    """EQ-T: shifts drawn evenly up to `reach` times the image's side, rounded to whole pixels.

    EQ-T_frac, with `fractional`: not rounded. The reference image is then shifted by a windowed
    sinc (Lanczos, three lobes), which is exact for low frequencies only: images with sharp
    single pixels score less than EQ-T however well they move.

    Pixels that the shift brings in from outside do not count, nor do those where the windowed
    sinc would look there.

    Args:
        render: The generator under input transforms.
        latents: Shape (N, d).
        reach: Largest shift either way, a share of the side in (0, 1).
        fractional: Whether shifts keep their fractions of pixels: EQ-T_frac.
        peak: Range of the pixel values, 2 for [−1, 1].
        batch: Latents rendered at a time.
        rng: Source of the shifts; None means seed 0.

    Returns:
        Decibels, infinite for a perfect generator; the interval is that of the mean squared
        error over the latents.

    Raises:
        UserError: Malformed latents or images, or settings out of range.
    """
    if not 0 < reach < 1:
        raise UserError(f"reach is {reach}: set it in (0, 1)")
    source = generator(rng)

    def moved(images: Tensor) -> _Moved:
        count, _, height, width = images.shape
        sides = torch.tensor([width, height])
        draws = (torch.rand(count, 2, generator=source) * 2 - 1) * reach
        if fractional:
            matrices = torch.eye(3).repeat(count, 1, 1)
            matrices[:, :2, 2] = 2 * draws
            across, seen = shifts((draws[:, 0] * width).to(images), width)
            down, below = shifts((draws[:, 1] * height).to(images), height)
            shifted = down[:, None] @ images @ across[:, None].mT
            mask = below[:, None, :, None] * seen[:, None, None]
            return _Moved(matrices.to(images), shifted, mask)
        pixels = (draws * sides).round().long()
        matrices = torch.eye(3).repeat(count, 1, 1)
        matrices[:, :2, 2] = 2 * pixels / sides
        shifted, mask = torch.zeros_like(images), torch.zeros_like(images[:, :1])
        for index, (dx, dy) in enumerate(pixels.tolist()):
            rolled = images[index].roll((dy, dx), (1, 2))
            top, bottom = max(dy, 0), height + min(dy, 0)
            left, right = max(dx, 0), width + min(dx, 0)
            shifted[index] = rolled
            mask[index, :, top:bottom, left:right] = 1
        return _Moved(matrices.to(images), shifted, mask)

    return _equivariance(render, latents, moved, peak, batch)


def rotation_equivariance(
    render: Render,
    latents: Array,
    *,
    peak: float = 2.0,
    batch: int = 16,
    rng: torch.Generator | None = None,
) -> Score:
    """EQ-R: rotations about the centre by angles drawn evenly from the full circle.

    A grid of pixels holds a square of frequencies, and turned it holds another one. Appendix E.3
    compares what lies in both: the reference image is turned by a filter that is the convolution
    of both grids' windowed sincs (Lanczos, three lobes), and the same filter is laid over the
    image of the turned input. Pixels for which it would look outside do not count: a margin of
    eight and a half inside the inscribed disc.

    Args:
        render: The generator under input transforms; images must be square.
        latents: Shape (N, d).
        peak: Range of the pixel values, 2 for [−1, 1].
        batch: Latents rendered at a time.
        rng: Source of the angles; None means seed 0.

    Returns:
        Decibels; the interval is that of the mean squared error over the latents.

    Raises:
        UserError: Malformed latents or images, or images that are not square.
    """
    source = generator(rng)

    def moved(images: Tensor) -> _Moved:
        count, _, height, width = images.shape
        if height != width:
            raise UserError(f"images are {height} by {width}: rotations need square ones")
        angles = torch.rand(count, generator=source) * 2 * math.pi
        matrices = torch.eye(3).repeat(count, 1, 1)
        matrices[:, 0, 0] = matrices[:, 1, 1] = angles.cos()
        matrices[:, 1, 0] = angles.sin()
        matrices[:, 0, 1] = -angles.sin()
        matrices = matrices.to(images)
        turns = matrices[:, :2, :2]
        axis = (torch.arange(height, device=images.device) + 0.5) * 2 / height - 1
        disc = torch.hypot(axis[:, None], axis) < 1 - 2 * TURNED_REACH / height
        return _Moved(
            matrices,
            turned(images, turns),
            disc.to(images).expand(count, 1, height, width),
            lambda rendered: blurred_as_turned(rendered, turns),
        )

    return _equivariance(render, latents, moved, peak, batch)


def _equivariance(
    render: Render,
    latents: Array,
    moved: Callable[[Tensor], _Moved],
    peak: float,
    batch: int,
) -> Score:
    codes = checked(latents, "latents")
    at_least(batch, 1, "batch")
    if not peak > 0:
        raise UserError(f"peak is {peak}: give the range of the pixels, such as 2 for [-1, 1]")
    errors, weights = [], []
    with torch.no_grad():
        for code in codes.split(batch):
            still = torch.eye(3, dtype=code.dtype, device=code.device).repeat(len(code), 1, 1)
            images = checked(render(code, still), "images", rows=len(code), rank=4)
            to = moved(images)
            found = to.filtered(render(code, to.matrices.to(code)))
            gap = (found - to.wanted).double().square() * to.mask
            errors.append(gap.sum((1, 2, 3)))
            weights.append(to.mask.double().sum((1, 2, 3)) * images.shape[1])
    error, weight = torch.cat(errors), torch.cat(weights)
    if float(weight.sum()) == 0:
        raise UserError("no pixel is valid: lower reach or render larger images")
    mean = float(error.sum() / weight.sum())
    if mean == 0:
        return Score(value=math.inf, interval=(math.inf, math.inf), n_fake=len(codes))
    value = 20 * math.log10(peak) - 10 * math.log10(mean)
    # Delta method for a ratio of sums, then for its logarithm.
    off = (error - mean * weight) / weight.mean()
    variance = float(off.var()) / len(codes)
    return Score(
        value=value,
        interval=around(value, variance * (10 / (math.log(10) * mean)) ** 2),
        n_fake=len(codes),
    )
