"""Multi-scale structural similarity of images, and the want of variety it reveals.

Wang, Simoncelli & Bovik 2003, "Multiscale structural similarity for image quality assessment";
as a measure of variety within a class: Odena, Olah & Shlens 2017, section 4.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator, matched
from zerosum.metrics.score import Score, around

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (the paper, section 3.2)."""
WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of the Gaussian window in pixels."""


def ms_ssim(first: Array, second: Array, *, peak: float, scales: int = 5) -> Tensor:
    """MS-SSIM of each pair of images, shape (N,), 1 for equal images.

    Contrast and structure count at every scale, luminance at the coarsest only; a scale whose
    mean is negative counts as 0. Fewer than five scales, which small images call for, keep the
    first weights rescaled to sum to 1: not comparable with published numbers.

    Args:
        first: Images, shape (N, C, H, W).
        second: Images to compare with, the same shape.
        peak: Range of the pixel values: 2 for [−1, 1], 255 for bytes.
        scales: How many, 1 to 5, each half the size of the last; the coarsest needs 11 pixels.

    Raises:
        UserError: Malformed or unequal batches, or images too small for the scales.
    """
    x = checked(first, "first", rows=1, rank=4)
    y = checked(second, "second", rows=1, rank=4)
    matched(x, y, "second")
    if len(x) != len(y):
        raise UserError(f"{len(x)} images against {len(y)}: give as many of both")
    if not peak > 0:
        raise UserError(f"peak is {peak}: give the range of the pixels, such as 2 for [-1, 1]")
    if not 1 <= scales <= len(WEIGHTS):
        raise UserError(f"scales is {scales}: choose 1 to {len(WEIGHTS)}")
    side = min(x.shape[2:])
    if side < WINDOW * 2 ** (scales - 1):
        raise UserError(
            f"images of {side} pixels are too small for {scales} scales of"
            f" {WINDOW * 2 ** (scales - 1)}: lower scales or enlarge them"
        )
    x, y = x.double(), y.double()
    total = sum(WEIGHTS[:scales])
    score = torch.ones(len(x), x.shape[1], dtype=x.dtype, device=x.device)
    for scale in range(scales):
        luminance, structure = _ssim(x, y, peak)
        last = scale == scales - 1
        part = (luminance * structure if last else structure).mean((2, 3))
        score = score * part.clamp(min=0) ** (WEIGHTS[scale] / total)
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return score.mean(1)


def ms_ssim_variety(
    *,
    fake: Array,
    peak: float,
    pairs: int = 1000,
    scales: int = 5,
    rng: torch.Generator | None = None,
) -> Score:
    """Mean MS-SSIM of random pairs within a set: the higher, the less variety.

    Compare with the score of as many reals of the same class. The interval is normal over the
    pairs, with the correlation of pairs that share an image taken in.

    Args:
        fake: Images, shape (N, C, H, W).
        peak: Range of the pixel values.
        pairs: Number of pairs of two different images, drawn with replacement.
        scales: As for `ms_ssim`.
        rng: Source of the pairs; None means seed 0.

    Raises:
        UserError: As for `ms_ssim`, or fewer than two pairs.
    """
    images = checked(fake, "fake", rank=4)
    at_least(pairs, 2, "pairs")
    source = generator(rng)
    n = len(images)
    i = torch.randint(n, (pairs,), generator=source)
    j = (i + torch.randint(1, n, (pairs,), generator=source)) % n
    parts = [
        ms_ssim(images[a.to(images.device)], images[b.to(images.device)], peak=peak, scales=scales)
        for a, b in zip(i.split(64), j.split(64))
    ]
    values = torch.cat(parts).cpu()
    value = float(values.mean())
    # Sum the deviations by image: pairs that share one are not independent. Each pair's own
    # square is then counted twice, once for either of its images.
    away = values - value
    by_image = torch.zeros(n, dtype=away.dtype).index_add_(0, i, away).index_add_(0, j, away)
    own = float(away.square().sum())
    variance = max(float(by_image.square().sum()) - own, own) / pairs**2
    return Score(value=value, interval=around(value, variance), n_fake=n)


def _ssim(x: Tensor, y: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps over the places where the window fits."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    cov = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * cov + c2) / (var_x + var_y + c2)


def _blur(images: Tensor) -> Tensor:
    reach = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    window = torch.exp(-(reach**2) / (2 * SIGMA**2))
    window = window / window.sum()
    channels = images.shape[1]
    column = window.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    row = window.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(images, column, groups=channels), row, groups=channels)
