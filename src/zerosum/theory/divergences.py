"""Distances between distributions that are known exactly: divergences in nats and Wasserstein-1.

p and q are probabilities (..., K), or densities on a grid together with `weights`, the widths of
the grid's cells (K,), so that sums stand for integrals. The last dimension is summed, the others
are a batch. All arithmetic is in float64, and results are float64 tensors (...,).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zerosum.errors import UserError

MASS_TOLERANCE = 1e-3  # a density cut off at the ends of a grid misses a little of its mass


def kl_divergence(p: Tensor, q: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """KL(p || q) = sum of p log(p/q), with 0 log 0 = 0; infinite where q = 0 < p.

    Args:
        p: Probabilities or densities (..., K).
        q: The same, to broadcast with p.
        weights: Cell widths (K,) for densities; 1 when None.

    Returns:
        Nats, (...,), float64.

    Raises:
        UserError: Negative or non-finite entries, or a total mass that is not 1.
    """
    p, q, cells = checked(p, q, weights)
    return ((torch.xlogy(p, p) - torch.xlogy(p, q)) * cells).sum(-1)


def js_divergence(p: Tensor, q: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """JSD = KL(p || m)/2 + KL(q || m)/2 with m = (p + q)/2: from 0 (equal) to ln 2 (disjoint).

    Arguments, result and errors as in `kl_divergence`; always finite, and symmetric.
    """
    p, q, cells = checked(p, q, weights)
    middle = ((p + q) / 2).clamp_min(torch.finfo(p.dtype).tiny)  # a subnormal half may be 0
    each = torch.xlogy(p, p) - torch.xlogy(p, middle) + torch.xlogy(q, q) - torch.xlogy(q, middle)
    return (each * cells).sum(-1) / 2


def total_variation(p: Tensor, q: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """TV = sum of |p - q| / 2: from 0 to 1, the greatest difference in any event's probability.

    The best classifier of a balanced mixture is right with probability (1 + TV)/2. Arguments and
    errors as in `kl_divergence`.
    """
    p, q, cells = checked(p, q, weights)
    return ((p - q).abs() * cells).sum(-1) / 2


def wasserstein_1d(p: Tensor, q: Tensor, positions: Tensor) -> Tensor:
    """W1 of probabilities on a line: the integral of |F_p - F_q| between the positions.

    Args:
        p: Probabilities (..., K). For densities on a grid multiply by the cells' widths first.
        q: The same, to broadcast with p.
        positions: Where they sit, (K,), strictly increasing.

    Returns:
        In units of the positions, (...,), float64.

    Raises:
        UserError: As in `kl_divergence`, or the positions are not increasing.
    """
    p, q, _ = checked(p, q, None)
    where = positions.to(torch.float64)
    gaps = where.diff()
    if where.shape != p.shape[-1:] or not bool((gaps > 0).all()):
        raise UserError(f"positions must be {p.shape[-1]} strictly increasing numbers")
    return ((p - q).cumsum(-1)[..., :-1].abs() * gaps).sum(-1)


def wasserstein_1d_samples(first: Tensor, second: Tensor) -> Tensor:
    """W1 between two sets of numbers, of sizes that may differ.

    As an estimate of the distance between the distributions they came from it is biased upwards:
    two sets drawn from one distribution are not at distance 0.

    Args:
        first: Samples (N,).
        second: Samples (M,).

    Returns:
        In units of the samples, a float64 scalar.

    Raises:
        UserError: A set is empty, not finite, or not one-dimensional.
    """
    for samples in (first, second):
        if samples.ndim != 1 or len(samples) == 0 or not bool(samples.isfinite().all()):
            raise UserError(f"samples must be finite numbers (N,), not {tuple(samples.shape)}")
    first, second = (samples.to(torch.float64).sort().values for samples in (first, second))
    merged = torch.cat([first, second]).sort().values
    below_first = torch.searchsorted(first, merged[:-1], right=True).double() / len(first)
    below_second = torch.searchsorted(second, merged[:-1], right=True).double() / len(second)
    return ((below_first - below_second).abs() * merged.diff()).sum()


def checked(p: Tensor, q: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """p, q and the cells' widths in float64, once they are known to be distributions.

    Raises:
        UserError: Shapes, signs or masses are wrong; the message names which.
    """
    p, q = p.to(torch.float64), q.to(torch.float64)
    if p.ndim == 0 or p.shape[-1:] != q.shape[-1:]:
        raise UserError(f"p and q differ in length: {tuple(p.shape)} and {tuple(q.shape)}")
    cells = torch.ones_like(p[..., :1]) if weights is None else weights.to(p)
    for name, density in (("p", p), ("q", q)):
        if not bool((density.isfinite() & (density >= 0)).all()):
            raise UserError(f"{name} has negative or non-finite entries")
        error = float(((density.detach() * cells).sum(-1) - 1).abs().max())
        if error > MASS_TOLERANCE:
            raise UserError(
                f"the mass of {name} is off 1 by {error:.3g}; normalise it, or pass the widths "
                "of the grid's cells as weights"
            )
    return p, q, cells


LOG_2 = math.log(2.0)
LOG_4 = math.log(4.0)
