"""The arithmetic of mode coverage: counts of samples per mode, and what follows from them.

The protocol is that of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1), after VEEGAN
(Srivastava et al. 2017): 2,500 samples; each belongs to the nearest mode; it is of high quality
within three standard deviations; a mode is found if it has one such sample; the reverse KL
divergence is taken between the high-quality samples' modes and the uniform law. Added here: the
divergence from the data's own law of modes, modes with five samples, and the spread in modes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.stats import chi2
from torch import Tensor

SOLID = 5
"""Samples that make a mode `solid`: one alone may be a misclassified sample."""


@dataclass(frozen=True)
class Coverage:
    """What a set of samples covers.

    Attributes:
        modes: Modes with at least one high-quality sample.
        solid: Modes with at least `SOLID`.
        quality: Share of high-quality samples; None where every sample has a mode.
        reverse_kl: KL(samples' modes | uniform) in nats; None without high-quality samples.
        law_kl: KL(samples' modes | the data's law of modes); likewise.
        spread: Standard deviation inside the modes over the true one; None where undefined.
        overlap: Share of the law that the samples cover, sum over modes of the lesser of both
            shares, where samples of low quality belong to no mode: 1 - total variation distance.
    """

    modes: int
    solid: int
    quality: float | None
    reverse_kl: float | None
    law_kl: float | None
    spread: float | None = None
    overlap: float | None = None


def coverage(
    counts: Tensor, total: int, law: Tensor, *, graded: bool = True, spread: float | None = None
) -> Coverage:
    """Summarise the high-quality samples of each mode.

    Args:
        counts: High-quality samples of each mode, (K,).
        total: All samples.
        law: The data's share of each mode, (K,), none of them 0.
        graded: Whether samples can be of low quality at all.
        spread: Passed on.
    """
    hits = int(counts.sum())
    share = counts.double() / max(hits, 1)
    found = share > 0
    uniform = torch.full_like(share, 1 / len(counts))

    def divergence(other: Tensor) -> float | None:
        if not hits:
            return None
        return float((share[found] * (share[found] / other[found]).log()).sum())

    return Coverage(
        modes=int(found.sum()),
        solid=int((counts >= SOLID).sum()),
        quality=hits / total if graded else None,
        reverse_kl=divergence(uniform),
        law_kl=divergence(law.double()),
        spread=spread,
        overlap=float(torch.minimum(counts.double() / total, law.double()).sum()),
    )


def spread(points: Tensor, modes: Tensor, sigma: float, reach: float) -> float | None:
    """Standard deviation of points within their modes, as a multiple of the true one.

    Points beyond the reach were left out, which shrinks even a perfect sampler's spread: of a
    chi-squared variable with D degrees of freedom, E[r^2 | r < t] = D P_(D+2)(t^2) / P_D(t^2).
    That factor is divided out, so a perfect sampler has 1.

    Args:
        points: High-quality samples (N, D).
        modes: Their modes (N,).
        sigma: The true standard deviation in each coordinate.
        reach: Distance in units of sigma up to which samples are of high quality.

    Returns:
        The ratio over all modes with at least ten points, weighted by their points, deviations
        taken from each mode's own mean; None where there is no such mode.
    """
    squares, freedom = 0.0, 0
    dimensions = points.shape[1]
    for mode in modes.unique().tolist():
        inside = points[modes == mode].double()
        if len(inside) >= 2 * SOLID:
            squares += float((inside - inside.mean(0)).square().sum())
            freedom += (len(inside) - 1) * dimensions
    if not freedom:
        return None
    within = reach**2
    kept = chi2.cdf(within, dimensions + 2) / chi2.cdf(within, dimensions)
    return math.sqrt(squares / freedom / kept) / sigma
