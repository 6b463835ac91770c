"""Flips, turns, shifts and scalings of images by one lookup between orthogonal wavelet filters.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data",
arXiv:2006.06676, appendix B: all geometric changes of an image are one 3x3 matrix. It is executed
on the image upsampled by 2, and filtered down again; the filter is the low pass of an orthogonal
wavelet (sym6), so that no change, and a shift by whole pixels, leave no trace of the filtering.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.augment.draws import Draws, beside

BLIT = ("xflip", "rotate90", "xint")
"""Changes by whole pixels: mirroring, quarter turns, shifts."""
GEOMETRIC = ("scale", "rotate", "aniso", "xfrac")
"""General ones: scaling, turning, stretching, shifting by fractions of a pixel."""
SHIFT, SCALE, STRETCH, FRACTION = 0.125, 0.2, 0.2, 0.125
"""Appendix B: whole shifts up to this share of the side; standard deviations of the exponents of
two of scaling and stretching, and of fractional shifts in sides."""
# The low pass of the symlet with six vanishing moments (Daubechies 1992, Ten Lectures on
# Wavelets, chapter 8), which sums to sqrt 2.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
TAPS = len(SYM6)
RIM = TAPS // 4
"""Pixels of the original size that the filter needs on each side."""
BY_MATRIX = 256
"""Up to this side a filter runs as a matrix: measured on a CPU, one product is up to twenty times
as fast as a convolution with one channel at 32 pixels, and not slower at 256."""


def drawn_inverse(draws: Draws, multipliers: Mapping[str, float]) -> Tensor:
    """Matrices (B, 3, 3) that map a changed image's pixels to the image's, about its centre.

    Args:
        draws: Where numbers come from; its images are (B, C, H, W).
        multipliers: Of the changes; those without one do not happen.
    """
    height, width = draws.like.shape[-2:]
    inverse = torch.eye(3).to(draws.like).expand(len(draws.like), 3, 3)
    on = {name: value for name, value in multipliers.items() if value}
    if "xflip" in on:
        flips = draws.spared((draws.uniform() * 2).floor(), on["xflip"], 0)
        inverse = inverse @ scaling(1 - 2 * flips, torch.ones_like(flips))
    if "rotate90" in on:
        quarters = draws.spared((draws.uniform() * 4).floor(), on["rotate90"], 0)
        inverse = inverse @ turning(math.pi / 2 * quarters)
    if "xint" in on:
        shift = draws.spared((draws.uniform(2) * 2 - 1) * SHIFT, on["xint"], 0)
        right, down = (shift[:, 0] * width).round(), (shift[:, 1] * height).round()
        inverse = inverse @ shifting(-right, -down)
    if "scale" in on:
        factor = draws.spared(torch.exp2(draws.normal() * SCALE), on["scale"], 1)
        inverse = inverse @ scaling(1 / factor, 1 / factor)
    # Turns before and after stretching, each so likely that either happens with the wanted share.
    half = 1 - math.sqrt(min(max(1 - on.get("rotate", 0) * draws.strength, 0), 1))
    half = half / draws.strength if draws.strength else 0.0
    if "rotate" in on:
        angle = draws.spared((draws.uniform() * 2 - 1) * math.pi, half, 0)
        inverse = inverse @ turning(angle)
    if "aniso" in on:
        factor = draws.spared(torch.exp2(draws.normal() * STRETCH), on["aniso"], 1)
        inverse = inverse @ scaling(1 / factor, factor)
    if "rotate" in on and draws.percentile is None:
        angle = draws.spared((draws.uniform() * 2 - 1) * math.pi, half, 0)
        inverse = inverse @ turning(angle)
    if "xfrac" in on:
        shift = draws.spared(draws.normal(2) * FRACTION, on["xfrac"], 0)
        inverse = inverse @ shifting(-shift[:, 0] * width, -shift[:, 1] * height)
    return inverse


def warped(images: Tensor, inverse: Tensor) -> Tensor:
    """Images (B, C, H, W) as seen through matrices (B, 3, 3); beyond the rim they are mirrored.

    The matrices are best on the processor: how far they reach must be known before anything runs.

    The gradient passes through to the images, any number of times, and none to the matrices.
    """
    height, width = images.shape[-2:]
    left, top, right, bottom = _margins(inverse, height, width)
    images = _doubled(images, left, top, right, bottom)
    inverse = _shift((left - right) / 2, (top - bottom) / 2, inverse) @ inverse
    # In the doubled image a pixel's centre lies half a pixel off that of its first copy.
    doubling, back = _diagonal(2, 2, inverse), _diagonal(0.5, 0.5, inverse)
    half, whole = _shift(-0.5, -0.5, inverse), _shift(0.5, 0.5, inverse)
    inverse = half @ doubling @ inverse @ back @ whole
    tall, wide = 2 * (height + 2 * RIM), 2 * (width + 2 * RIM)
    to_unit = _diagonal(2 / images.shape[3], 2 / images.shape[2], inverse)
    inverse = to_unit @ inverse @ _diagonal(wide / 2, tall / 2, inverse)
    grid = F.affine_grid(
        beside(inverse[:, :2], images),
        [len(images), images.shape[1], tall, wide],
        align_corners=False,
    )
    return _halved(_Lookup.apply(images, grid))


def scaling(across: Tensor, down: Tensor) -> Tensor:
    """Matrices (B, 3, 3) that multiply x by `across` (B,) and y by `down` (B,)."""
    return torch.diag_embed(torch.stack([across, down, torch.ones_like(across)], 1))


def turning(angle: Tensor) -> Tensor:
    """Matrices (B, 3, 3) that turn x towards y by angles (B,) in radians."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).view(-1, 3, 3)


def shifting(right: Tensor, down: Tensor) -> Tensor:
    """Matrices (B, 3, 3) that add `right` (B,) to x and `down` (B,) to y, in pixels."""
    zero, one = torch.zeros_like(right), torch.ones_like(right)
    return torch.stack([one, zero, right, zero, one, down, zero, zero, one], 1).view(-1, 3, 3)


def _diagonal(across: float, down: float, like: Tensor) -> Tensor:
    return like.new_tensor([across, down, 1.0]).diag()


def _shift(right: float, down: float, like: Tensor) -> Tensor:
    return like.new_tensor([[1, 0, right], [0, 1, down], [0, 0, 1]])


def _margins(inverse: Tensor, height: int, width: int) -> tuple[int, ...]:
    """How far the farthest corners of a batch reach beyond its images, with the filter's rim:
    left, top, right, bottom, as far as mirroring goes."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = inverse.new_tensor([[-x, x, x, -x], [-y, -y, y, y], [1, 1, 1, 1]])
    reach = (inverse @ corners)[:, :2].transpose(0, 1).flatten(1)
    far = torch.cat([-reach.amin(1), reach.amax(1)])
    far = far + inverse.new_tensor([2 * RIM - x, 2 * RIM - y] * 2)
    most = inverse.new_tensor([width - 1, height - 1] * 2)
    return tuple(far.clamp(min=0).minimum(most).ceil().int().tolist())


def _doubled(images: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """Images (B, C, H, W) mirrored at their sides by so many pixels, at twice the size."""
    height, width = images.shape[-2:]
    if max(height, width) > BY_MATRIX:
        images = _mirrored_double(images, left, right)
        return _mirrored_double(images.mT, top, bottom).mT
    rows, columns = (torch.eye(side, dtype=images.dtype) for side in (height, width))
    down = _mirrored_double(rows[None, None], top, bottom)[0, 0]
    across = _mirrored_double(columns[None, None], left, right)[0, 0]
    return beside(down, images).mT @ images @ beside(across, images)


def _halved(images: Tensor) -> Tensor:
    """Images (B, C, 2 H + 4 RIM, 2 W + 4 RIM) at half their size, without their rim."""
    tall, wide = images.shape[-2:]
    if max(tall, wide) > 2 * BY_MATRIX + 4 * RIM:
        return _half(_half(images).mT).mT
    down, across = (_halving(side, images.dtype, images.device) for side in (tall, wide))
    return down.mT @ images @ across


@lru_cache(maxsize=8)
def _halving(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`_half` of so many numbers as a matrix."""
    with torch.inference_mode(False):  # kept, and so for whoever trains later too
        return _half(torch.eye(side, dtype=dtype)[None, None])[0, 0].to(device)


def _mirrored_double(images: Tensor, before: int, after: int) -> Tensor:
    """Rows (B, C, H, W) mirrored at their ends and filtered to twice that length."""
    rows = F.pad(images, (before, after, 0, 0), mode="reflect")
    taps, flat = 2 * _filter(images), rows.reshape(-1, 1, 1, rows.shape[-1])
    wide = F.conv_transpose2d(flat, taps, stride=(1, 2), padding=(0, TAPS // 2 - 1))
    return wide.view(*images.shape[:3], -1)


def _half(images: Tensor) -> Tensor:
    """Rows (B, C, H, 2 W + 4 RIM) filtered to (B, C, H, W)."""
    flat = images[..., 1:-1].reshape(-1, 1, 1, images.shape[-1] - 2)
    return F.conv2d(flat, _filter(images), stride=(1, 2)).view(*images.shape[:3], -1)


def _filter(like: Tensor) -> Tensor:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    return (taps / taps.sum()).to(like).view(1, 1, 1, -1)


class _Lookup(torch.autograd.Function):
    """Bilinear lookup, which is linear in the images: its derivative is its transpose, and the
    derivative of that is the lookup again. torch knew only the first before 2.6."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, mode="bilinear", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Spread.apply(gradients[0], grid, ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose of `_Lookup`."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        return torch.ops.aten.grid_sampler_2d_backward(
            gradient, gradient.new_empty(1).expand(shape), grid, 0, 0, False, [True, False]
        )[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Lookup.apply(gradients[0], grid), None, None
