"""Precision and recall, density and coverage: do the fakes lie where the reals are, and back?

Every set stands for a manifold: the union of balls around its points, each reaching to the
point's k-th nearest other point of the set. A point on a ball's boundary is inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from zerosum.metrics.inputs import Array, at_least, checked_pair
from zerosum.metrics.neighbours import (
    BallCounts,
    Neighbours,
    mutual_counts,
    own_neighbours,
    own_radii,
)
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
    (by_real,), (by_fake,) = mutual_counts(
        fake_set,
        real_set,
        base_radii=[own_radii(real_set, k)],
        query_radii=[own_radii(fake_set, k)],
    )
    return _precision_recall(by_real, by_fake, k)


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
    near = own_neighbours(real_set, _outer(k, len(real_set)))
    (inner, outer), _ = mutual_counts(
        fake_set, real_set, base_radii=[near.distances[:, k - 1], near.distances[:, -1]]
    )
    return _density_coverage(inner, outer, near, k)


def prdc(
    *, real: Array, fake: Array, k: int = 3, k_density: int = 5
) -> tuple[PrecisionRecall, DensityCoverage]:
    """`precision_recall` and `density_coverage` from three passes over the distances, not five.

    Args:
        real: Features of real samples, shape (N, d), N > k, k_density.
        fake: Features of generated samples, shape (M, d), M > k.
        k: Neighbour of precision and recall.
        k_density: Neighbour of density and coverage.

    Raises:
        UserError: Malformed or mismatched features, or a set of no more than k samples.
    """
    at_least(k, 1, "k")
    at_least(k_density, 1, "k_density")
    real_set, fake_set = checked_pair(real, fake)
    most = _outer(k_density, len(real_set))
    near = own_neighbours(real_set, max(k, most))
    radii = near.distances
    (by_real, inner, outer), (by_fake,) = mutual_counts(
        fake_set,
        real_set,
        base_radii=[radii[:, k - 1], radii[:, k_density - 1], radii[:, most - 1]],
        query_radii=[own_radii(fake_set, k)],
    )
    near = Neighbours(radii[:, :most], near.indices[:, :most])
    return (
        _precision_recall(by_real, by_fake, k),
        _density_coverage(inner, outer, near, k_density),
    )


def _outer(k: int, n: int) -> int:
    """Which neighbour bounds the shells that tell what wider balls let in."""
    at_least(k, 1, "k")
    return max(k, min(2 * k, n - 1))


def _precision_recall(by_real: BallCounts, by_fake: BallCounts, k: int) -> PrecisionRecall:
    """From the fakes in the reals' balls and the reals in the fakes'."""
    n, m = len(by_real.holds), len(by_real.held)
    return PrecisionRecall(
        precision=_share_inside(by_real, n, m), recall=_share_inside(by_fake, n, m), k=k
    )


def _density_coverage(
    counts: BallCounts, outer: BallCounts, near: Neighbours, k: int
) -> DensityCoverage:
    """From the fakes in the reals' balls, in wider ones out to the last of `near`, and `near`."""
    n, m = len(counts.holds), len(counts.held)
    density = float(counts.held.double().mean()) / k
    shells = near.indices.shape[1] - k
    gain = (outer.holds - counts.holds).double() / max(shells, 1)
    change = -counts.holds.double()
    change.index_add_(0, near.indices[:, :k].flatten(), gain.repeat_interleave(k))
    spread = float((counts.held.double() / k).var()) / m
    spread += (n - 1) * float((change / (k * m)).var(correction=0))
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


def _share_inside(counts: BallCounts, n_real: int, n_fake: int) -> Score:
    share = float((counts.held > 0).double().mean())
    return Score(
        value=share,
        interval=_share_interval(share, len(counts.held), counts.sole_ball),
        n_real=n_real,
        n_fake=n_fake,
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
