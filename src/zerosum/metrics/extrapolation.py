"""The Fréchet distance extrapolated to infinitely many samples.

The distance of two finite samples exceeds that of their laws by an amount close to c / n, so a
line through the distances of subsets, drawn against 1 / n, meets the axis near the distance of
the laws (Chong & Forsyth 2020, "Effectively unbiased FID and Inception Score"). There only the
fakes are thinned, which leaves the reals' bias in; here both sets are thinned alike, and the
line is drawn against 1 / n + 1 / m.
"""

from __future__ import annotations

import torch

from zerosum.errors import UserError
from zerosum.metrics.frechet import Coupling, Statistics
from zerosum.metrics.inputs import Array, at_least, checked_pair, generator
from zerosum.metrics.score import Score, around


def fd_infinity(
    *,
    real: Array,
    fake: Array,
    sizes: int = 15,
    smallest: float | None = None,
    rng: torch.Generator | None = None,
) -> Score:
    """Intercept of the Fréchet distance against 1 / n + 1 / m, free of the leading bias.

    The straight line is a good one while subsets are larger than the dimension. The intercept
    may be negative. Its interval is the infinitesimal jackknife's: every sample's influence on
    the intercept through all the subsets that drew it.

    Args:
        real: Features of real samples, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        sizes: Number of subset sizes, evenly spaced from the smallest to all samples.
        smallest: Share of both sets in the smallest subsets, in (0, 1). None takes a tenth or
            5000 samples, whichever is less, but twice the dimension where that is affordable.
        rng: Source of the subsets; None means seed 0.

    Raises:
        UserError: Malformed or mismatched features, fewer than three sizes, or a smallest share
            that leaves fewer than two samples.
    """
    at_least(sizes, 3, "sizes")
    x, y = checked_pair(real, fake, rows=8)
    least, dim = min(len(x), len(y)), x.shape[1]
    share = smallest
    if share is None:
        share = min(max(min(5000, least / 10), 2 * dim, 4), least / 2) / least
    if not 0 < share < 1 or share * least < 2:
        raise UserError(
            f"smallest is {share}: choose a share in (0, 1) that leaves 2 or more of {least}"
        )
    source = generator(rng)
    shares = torch.linspace(share, 1, sizes, dtype=torch.float64).tolist()
    counts = [(round(part * len(x)), round(part * len(y))) for part in shares]
    inverse = torch.tensor([1 / n + 1 / m for n, m in counts], dtype=torch.float64)
    # Least squares: the intercept is a weighted sum of the distances, with these weights.
    away = inverse - inverse.mean()
    weights = 1 / sizes - inverse.mean() * away / away.square().sum()
    value = 0.0
    pull_x = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    pull_y = torch.zeros(len(y), dtype=torch.float64, device=x.device)
    for weight, (n, m) in zip(weights.tolist(), counts):
        i = torch.randperm(len(x), generator=source)[:n].to(x.device)
        j = torch.randperm(len(y), generator=source)[:m].to(x.device)
        some_x, some_y = x[i], y[j]
        found = Coupling(Statistics.of(some_x), Statistics.of(some_y), vectors=True)
        value += weight * found.value
        on_x, on_y = found.influence(some_x, some_y)
        pull_x[i] += weight / n * on_x
        pull_y[j] += weight / m * on_y
    variance = float(pull_x.square().sum() + pull_y.square().sum())
    return Score(
        value=value,
        interval=around(value, variance),
        null=0.0,
        n_real=len(x),
        n_fake=len(y),
        floor=0.0,
    )
