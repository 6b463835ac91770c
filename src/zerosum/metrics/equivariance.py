"""Equivariance: does the image move with the generator's input? In decibels.

EQ-T moves it by whole pixels, EQ-T_frac by fractions too, EQ-R turns it.

Karras et al. 2021, "Alias-free generative adversarial networks", section 2.2 and appendix E.3.
The peak signal-to-noise ratio between the image of a moved input and the moved image is taken
from one mean squared error over all valid pixels of all images, not averaged over images.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator
from zerosum.metrics.score import Score, around

REACH = 3
"""Lobes of the kernel sinc(x) sinc(x / 3), and how many pixels it looks at either way."""

Render = Callable[[Tensor, Tensor], Tensor]
"""Renders latents (B, d) whose input is moved by matrices (B, 3, 3) into images (B, C, H, W).

A matrix acts on column vectors (x, y, 1), x to the right and y down, in units of half the image
with the centre at 0: content at p is to appear at the matrix times p.
"""


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

    def moved(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count, _, height, width = images.shape
        sides = torch.tensor([width, height])
        draws = (torch.rand(count, 2, generator=source) * 2 - 1) * reach
        if fractional:
            matrices = torch.eye(3).repeat(count, 1, 1)
            matrices[:, :2, 2] = 2 * draws
            across, seen = _shifts((draws[:, 0] * width).to(images), width)
            down, below = _shifts((draws[:, 1] * height).to(images), height)
            shifted = down[:, None] @ images @ across[:, None].mT
            return matrices.to(images), shifted, below[:, None, :, None] * seen[:, None, None]
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
        return matrices.to(images), shifted, mask

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

    The reference image is turned by a windowed sinc (Lanczos, three lobes) along both axes. The
    paper filters the other image too, down to the frequencies that both grids can hold: use the
    values to compare models, not with published ones. Pixels outside the inscribed disc do not
    count.

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

    def moved(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count, _, height, width = images.shape
        if height != width:
            raise UserError(f"images are {height} by {width}: rotations need square ones")
        angles = torch.rand(count, generator=source) * 2 * math.pi
        matrices = torch.eye(3).repeat(count, 1, 1)
        matrices[:, 0, 0] = matrices[:, 1, 1] = angles.cos()
        matrices[:, 1, 0] = angles.sin()
        matrices[:, 0, 1] = -angles.sin()
        matrices = matrices.to(images)
        axis = (torch.arange(height, device=images.device) + 0.5) * 2 / height - 1
        places = torch.stack([axis.expand(height, height), axis[:, None].expand(height, height)])
        # To fill a pixel, look where its content comes from: the inverse, a transpose here.
        sources = torch.einsum("bji,jhw->bihw", matrices[:, :2, :2], places.to(images))
        turned = _sampled(images, (sources + 1) * height / 2 - 0.5)
        # Less than the disc, so that the kernel never looks outside.
        disc = (torch.hypot(axis[:, None], axis) < 1 - (2 * REACH - 1) / height).to(images)
        return matrices, turned, disc.expand(count, 1, height, width)

    return _equivariance(render, latents, moved, peak, batch)


def _kernel(x: Tensor) -> Tensor:
    """Lanczos: sinc(x) sinc(x / 3) within three pixels."""
    return torch.where(x.abs() < REACH, x.sinc() * (x / REACH).sinc(), 0.0)


def _shifts(steps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Matrices (B, size, size) that shift a line of pixels by some steps, and where they can.

    Content at pixel p comes to p + step; pixels whose kernel would look outside are marked 0 in
    the second, shape (B, size).
    """
    place = torch.arange(size, device=steps.device, dtype=steps.dtype)
    source = place - steps[:, None]
    weights = _kernel(source[:, :, None] - place)
    inside = (source > REACH - 1) & (source < size - REACH)
    total = weights.sum(2, keepdim=True)
    return weights / torch.where(inside[:, :, None], total, 1.0), inside.to(steps)


def _sampled(images: Tensor, places: Tensor) -> Tensor:
    """Images between their pixels: places (B, 2, H, W) count pixels, x first; edges repeat."""
    height, width = images.shape[2:]
    first = places.floor() - (REACH - 1)
    steps = torch.arange(2 * REACH, device=images.device, dtype=images.dtype)
    taps = first[..., None] + steps
    weights = _kernel(places[..., None] - taps)
    weights = weights / weights.sum(-1, keepdim=True)
    columns, rows = taps[:, 0].long().clamp(0, width - 1), taps[:, 1].long().clamp(0, height - 1)
    pixels, out = images.flatten(2), torch.zeros_like(images)
    for i in range(2 * REACH):
        for j in range(2 * REACH):
            index = (rows[..., i] * width + columns[..., j]).flatten(1)
            found = pixels.gather(2, index[:, None].expand(-1, images.shape[1], -1))
            share = weights[:, 1, :, :, i] * weights[:, 0, :, :, j]
            out += found.view_as(images) * share[:, None]
    return out


def _equivariance(
    render: Render,
    latents: Array,
    moved: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
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
            matrices, wanted, mask = moved(images)
            gap = (render(code, matrices.to(code)) - wanted).double().square() * mask
            errors.append(gap.sum((1, 2, 3)))
            weights.append(mask.double().sum((1, 2, 3)) * images.shape[1])
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
