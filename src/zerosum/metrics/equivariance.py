"""Equivariance: does the image move with the generator's input? EQ-T and EQ-R in decibels.

Karras et al. 2021, "Alias-free generative adversarial networks", section 2.2 and appendix E.3.
The peak signal-to-noise ratio between the image of a moved input and the moved image is taken
from one mean squared error over all valid pixels of all images, not averaged over images.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator
from zerosum.metrics.score import Score, around

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
    peak: float = 2.0,
    batch: int = 16,
    rng: torch.Generator | None = None,
) -> Score:
    """EQ-T: shifts by whole pixels, drawn evenly up to `reach` times the image's side.

    Pixels that the shift brings in from outside do not count.

    Args:
        render: The generator under input transforms.
        latents: Shape (N, d).
        reach: Largest shift either way, a share of the side in (0, 1).
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

    The reference image is turned by bicubic interpolation, where the paper filters both images
    with a long windowed sinc: use the values to compare models, not with published ones. Pixels
    outside the inscribed disc do not count.

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
        # To fill a pixel, look where its content comes from: the inverse, a transpose here.
        grid = F.affine_grid(
            matrices[:, :2, :2].mT @ torch.eye(2, 3).to(images),
            list(images.shape),
            align_corners=False,
        )
        turned = F.grid_sample(images, grid, mode="bicubic", align_corners=False)
        axis = (torch.arange(height, device=images.device) + 0.5) * 2 / height - 1
        # Two pixels less than the disc, so that the cubic kernel never looks outside.
        disc = (torch.hypot(axis[:, None], axis) < 1 - 4 / height).to(images)
        return matrices, turned, disc.expand(count, 1, height, width)

    return _equivariance(render, latents, moved, peak, batch)


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
