"""Precision and recall, density and coverage: do the fakes lie where the reals are, and back?

Every set stands for a manifold: the union of balls around its points, each reaching to the
point's k-th nearest other point of the set. A point on a ball's boundary is inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from zerosum.metrics.inputs import Array, checked_pair
from zerosum.metrics.neighbours import ball_counts, own_radii
from zerosum.metrics.score import Score, around, wilson


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """Precision, recall and the k they were taken with."""

    precision: Score
    recall: Score
    k: int


@dataclass(frozen=True, kw_only=True)
class DensityCoverage:
    """Density, coverage and the k they were taken with."""

    density: Score
    coverage: Score
    k: int


def precision_recall(*, real: Array, fake: Array, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, eqs. 1 and 2).

    Precision is the share of fakes inside the reals' manifold; recall is the share of reals
    inside the fakes'. Neither is 1 for two samples of one law: about 0.6 to 0.7 is usual, so
    compare with the scores of a held-out real set.

    The intervals are Wilson's with an effective number of trials: the variance of the share
    over the points placed, plus its jackknife variance over the balls, radii held fixed.

    Args:
        real: Features of real samples, shape (N, d), N > k.
        fake: Features of generated samples, shape (M, d), M > k.
        k: Neighbour that sets each ball's radius.

    Raises:
        UserError: Malformed or mismatched features, or a set of no more than k samples.
    """
    real_set, fake_set = checked_pair(real, fake)
    return PrecisionRecall(
        precision=_share_inside(fake_set, real_set, k, n_real=len(real_set)),
        recall=_share_inside(real_set, fake_set, k, n_real=len(real_set)),
        k=k,
    )


def density_coverage(*, real: Array, fake: Array, k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, "Reliable fidelity and diversity metrics").

    Density counts in how many of the reals' balls a fake lies, divided by k: 1 for fakes of the
    real law, more where they crowd the dense regions. Coverage is the share of reals whose ball
    holds a fake; fakes of the real law reach 1 − Π (N − i)/(N + M − i), i = 1 … k.

    Args:
        real: Features of real samples, shape (N, d), N > k.
        fake: Features of generated samples, shape (M, d).
        k: Neighbour that sets each ball's radius.

    Raises:
        UserError: Malformed or mismatched features, or no more than k reals.
    """
    real_set, fake_set = checked_pair(real, fake)
    n, m = len(real_set), len(fake_set)
    counts = ball_counts(fake_set, real_set, own_radii(real_set, k))
    density = float(counts.held.double().mean()) / k
    # A mean over all pairs: its first-order variance has one share from each set.
    by_fake, by_real = counts.held.double() / k, counts.holds.double() * n / (m * k)
    spread = float(by_fake.var()) / m + float(by_real.var()) / n
    covered = float((counts.holds > 0).double().mean())
    return DensityCoverage(
        density=Score(
            value=density,
            interval=around(density, spread),
            null=1.0,
            n_real=n,
            n_fake=m,
            floor=0.0,
        ),
        coverage=Score(
            value=covered,
            interval=_share_interval(covered, n, counts.sole_query),
            null=_coverage_null(n, m, k),
            n_real=n,
            n_fake=m,
        ),
        k=k,
    )


def _share_inside(points: Tensor, centres: Tensor, k: int, *, n_real: int) -> Score:
    counts = ball_counts(points, centres, own_radii(centres, k))
    share = float((counts.held > 0).double().mean())
    return Score(
        value=share,
        interval=_share_interval(share, len(points), counts.sole_ball),
        n_real=n_real,
        n_fake=len(points) + len(centres) - n_real,
    )


def _share_interval(share: float, trials: int, sole: Tensor) -> tuple[float, float]:
    """Interval of a share of `trials` points, where `sole` counts those that hang on one other.

    Taking away one member of the other set loses just the points that it alone reaches; the
    jackknife sums the squares of those losses.
    """
    binomial = share * (1 - share) / trials
    losses = sole.double() / trials
    jackknife = float((losses - losses.mean()).square().sum())
    if binomial == 0:
        return wilson(share, trials)
    return wilson(share, share * (1 - share) / (binomial + jackknife))


def _coverage_null(n: int, m: int, k: int) -> float:
    """Chance that none of the k points nearest to a real, of N + M − 1 alike, is a fake."""
    log_empty = sum(math.log((n - i) / (n + m - i)) for i in range(1, k + 1))
    return 1 - math.exp(log_empty)
