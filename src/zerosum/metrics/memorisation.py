"""Does the generator copy its training set? Authenticity and C_T, against a held-out set.

Both compare how near the fakes come to the training samples with how near fresh real samples do.
Without that comparison the numbers cannot be read: the share of fresh samples that count as
authentic is near 80 % in 64 dimensions and near 40 % in two. No such score tells copying from
underfitting with certainty, so look at the nearest pairs as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, checked_pair, generator, matched
from zerosum.metrics.neighbours import nearest_neighbours, own_radii
from zerosum.metrics.score import Score, around, wilson

FEWEST = 20
"""Fakes and held-out samples that a cell needs before it counts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Authenticity(Score):
    """Authentic percentage of the fakes less that of the held-out set, in percentage points.

    Attributes:
        of_fake: Percentage of fakes that are authentic, the plain score of the literature.
        of_held_out: The same of the held-out reals.
    """

    of_fake: float
    of_held_out: float


def authenticity(*, real: Array, fake: Array, held_out: Array) -> Authenticity:
    """How much more often fakes are authentic than fresh reals (after Alaa et al. 2022).

    A sample is authentic when it is farther from its nearest training sample than that one is
    from its own nearest neighbour in the training set. The difference is 0 for a perfect
    generator, below 0 for one that copies, above 0 for one that strays.

    The interval is Newcombe's for a difference of proportions; it speaks of this training set.

    Args:
        real: Features of the training set, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        held_out: Features of reals that were not trained on, shape (H, d).

    Raises:
        UserError: Malformed or mismatched features.
    """
    train, made, fresh = _three(real, fake, held_out)
    room = own_radii(train, 1)
    p, q = _authentic(made, train, room), _authentic(fresh, train, room)
    (p_low, p_high), (q_low, q_high) = wilson(p, len(made)), wilson(q, len(fresh))
    low = p - q - math.hypot(p - p_low, q_high - q)
    high = p - q + math.hypot(p_high - p, q - q_low)
    return Authenticity(
        value=100 * (p - q),
        interval=(100 * low, 100 * high),
        null=0.0,
        n_real=len(train),
        n_fake=len(made),
        of_fake=100 * p,
        of_held_out=100 * q,
    )


def c_t(
    *,
    real: Array,
    fake: Array,
    held_out: Array,
    cells: int = 3,
    components: int = 64,
    rng: torch.Generator | None = None,
) -> Score:
    """Data-copying statistic C_T (Meehan, Chaudhuri & Dasgupta 2020, section 4).

    In each cell of the feature space, a z-scored Mann-Whitney test asks whether fakes lie nearer
    to the training samples than held-out reals do; the cells' z-scores are averaged with the
    held-out set's shares. Far below 0: copying. Far above: underfitting. The z-scores grow with
    the root of the sample sizes, so compare equal sizes only.

    The interval uses the variance of each cell's rank statistic under what was seen (DeLong's
    placements), not under the null; it speaks of this training set and these cells.

    Args:
        real: Features of the training set, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        held_out: Features of reals that were not trained on, shape (H, d).
        cells: Number of k-means cells, fitted to the training set.
        components: Principal components of the training set to work in, at most.
        rng: Source of the cells' first centres; None means seed 0.

    Raises:
        UserError: Malformed or mismatched features, or no cell with 20 fakes and 20 held-out
            samples.
    """
    at_least(cells, 1, "cells")
    at_least(components, 1, "components")
    sets = _three(real, fake, held_out)
    if len(sets[0]) < cells:
        raise UserError(f"{cells} cells but {len(sets[0])} training samples: lower cells")
    train, made, fresh = _reduced(sets, components)
    centres = _k_means(train, cells, generator(rng))
    homes = [torch.cdist(part, centres).argmin(1) for part in (train, made, fresh)]
    total, weight, variance = 0.0, 0.0, 0.0
    for cell in range(cells):
        base, near, far = (p[home == cell] for p, home in zip((train, made, fresh), homes))
        if len(base) == 0 or min(len(near), len(far)) < FEWEST:
            continue
        a = nearest_neighbours(near, base).distances[:, 0]
        b = nearest_neighbours(far, base).distances[:, 0]
        z, spread = _rank_score(a, b)
        share = len(far) / len(fresh)
        total += share * z
        weight += share
        variance += share * share * spread
    if weight == 0:
        raise UserError(
            f"no cell holds {FEWEST} fakes and {FEWEST} held-out samples: lower cells or give more"
        )
    value = total / weight
    return Score(
        value=value,
        interval=around(value, variance / weight**2),
        null=0.0,
        n_real=len(train),
        n_fake=len(made),
    )


def _three(real: Array, fake: Array, held_out: Array) -> tuple[Tensor, Tensor, Tensor]:
    train, made = checked_pair(real, fake)
    fresh = checked(held_out, "held_out")
    matched(train, fresh, "held_out")
    return train, made, fresh


def _authentic(points: Tensor, train: Tensor, room: Tensor) -> float:
    near = nearest_neighbours(points, train)
    return float((near.distances[:, 0] > room[near.indices[:, 0]]).double().mean())


def _reduced(sets: tuple[Tensor, ...], components: int) -> tuple[Tensor, ...]:
    """The sets in the leading principal components of the first."""
    wide = [part.double() for part in sets]
    mean = wide[0].mean(0)
    if components < wide[0].shape[1]:
        centred = wide[0] - mean
        # Eigenvectors come in ascending order of variance.
        axes = torch.linalg.eigh(centred.T @ centred)[1][:, -components:]
        return tuple((part - mean) @ axes for part in wide)
    return tuple(wide)


def _k_means(points: Tensor, cells: int, source: torch.Generator) -> Tensor:
    """Centres by Lloyd's iteration from k-means++ starts (Arthur & Vassilvitskii 2007)."""
    first = int(torch.randint(len(points), (1,), generator=source))
    centres = points[first : first + 1]
    for _ in range(cells - 1):
        squared = torch.cdist(points, centres).amin(1).square().cpu()
        # Where every point sits on a centre already, any point will do.
        odds = squared if float(squared.sum()) > 0 else torch.ones_like(squared)
        chosen = int(torch.multinomial(odds, 1, generator=source))
        centres = torch.cat([centres, points[chosen : chosen + 1]])
    for _ in range(100):
        home = torch.cdist(points, centres).argmin(1)
        moved = torch.stack(
            [
                points[home == cell].mean(0) if bool((home == cell).any()) else centres[cell]
                for cell in range(cells)
            ]
        )
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _rank_score(a: Tensor, b: Tensor) -> tuple[float, float]:
    """z-score of P(a > b) against one half, and that score's variance as seen."""
    m, n = len(a), len(b)
    above, below = _placements(a, b), _placements(b, a)
    scale = math.sqrt(12 * m * n / (m + n + 1))
    spread = float(above.var()) / m + float(below.var()) / n
    return scale * (float(above.mean()) - 0.5), scale * scale * spread


def _placements(points: Tensor, others: Tensor) -> Tensor:
    """Share of the others below each point, ties counted half."""
    line = others.sort().values
    under = torch.searchsorted(line, points, right=False)
    upto = torch.searchsorted(line, points, right=True)
    return (under + upto).double() / (2 * len(line))
